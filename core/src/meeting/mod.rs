//! What a meeting allows, and the log in which its server writes down what happened.
