//! How policies follow from one another, from the record to the one in force.
