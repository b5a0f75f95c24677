//! What people and dishonest servers do.

use std::time::Duration;

use conclave_core::{
    device::{
        Error,
        command::{Command, MeetingAddress, RequestId},
        event::Done,
    },
    identity::address::Domain,
};
use conclave_proto::types::v1::ErrorReason;
use rand_core::Rng as _;

use super::Federation;
use crate::{
    client::{Client, ClientId},
    home_server::{HandedIn, rogue::Rogue},
};

impl Federation {
    /// A new device, signed in as nobody.
    ///
    /// # Panics
    /// If the domain is not of its form.
    pub fn new_device(&mut self, domain: &str) -> ClientId {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let id = ClientId(self.clients.len());
        self.clients.push(Client::new(id, Domain::parse(domain).expect("a domain"), seed));
        id
    }

    /// A user gets an account; gives how to sign in.
    pub fn account(&mut self, user: &str, domain: &str) -> Command {
        let password = format!("{user}'s password");
        self.server_mut(domain).disk_mut().accounts.insert(user.to_owned(), password.clone());
        Command::SignIn { user: user.to_owned(), password: password.into(), label: user.to_owned() }
    }

    /// A new device whose user has an account; it signs in.
    ///
    /// # Panics
    /// If it cannot.
    pub fn sign_in(&mut self, user: &str, domain: &str) -> ClientId {
        let id = self.new_device(domain);
        // However bad the network is, a person tries again.
        for _ in 0..50 {
            let command = self.account(user, domain);
            let request = self.command(id, command);
            self.run_until(Duration::from_secs(5), |federation| federation.result(id, request).is_some());
            if matches!(self.result(id, request), Some(Ok(_))) {
                return id;
            }
        }
        panic!("{user} cannot sign in at {domain}");
    }

    /// A server hands something in at a hub, past the network: what a dishonest one does.
    pub fn hand_in(
        &mut self,
        from: &str,
        meeting: &MeetingAddress,
        item: HandedIn,
    ) -> Result<u64, ErrorReason> {
        let (now, from) = (self.now, Domain::parse(from).expect("a domain"));
        let hub = self.servers.get_mut(&meeting.hub).expect("a server");
        let handed_in = hub.handed_in(now, &from, meeting.id, item);
        self.drain(&meeting.hub);
        handed_in
    }

    /// A dishonest hub shows its own devices an entry that its log does not have.
    pub fn show_rogue(&mut self, meeting: &MeetingAddress, rogue: Rogue) {
        let now = self.now;
        self.server_mut(meeting.hub.as_str()).show_rogue(now, &meeting.id, rogue);
        self.drain(&meeting.hub);
    }

    /// A dishonest hub writes what it should refuse.
    pub fn write_rogue(&mut self, meeting: &MeetingAddress, rogue: Rogue) {
        let now = self.now;
        self.server_mut(meeting.hub.as_str()).write_rogue(now, &meeting.id, rogue);
    }

    /// A person asks for something.
    pub fn command(&mut self, id: ClientId, command: Command) -> RequestId {
        let (request, actions) = self.clients[id.0].command(self.now, command);
        self.act(actions);
        request
    }

    /// A person asks for something and waits for its end.
    ///
    /// # Panics
    /// If it does not end within a minute of virtual time.
    pub fn ask(&mut self, id: ClientId, command: Command) -> Result<Done, Error> {
        let text = format!("{command:?}");
        let request = self.command(id, command);
        let ended = self.run_until(Duration::from_mins(1), |it| it.result(id, request).is_some());
        assert!(ended, "no end of {text}");
        self.clients[id.0].done.remove(&request).expect("an end")
    }

    /// How a command ended.
    pub fn result(&self, id: ClientId, request: RequestId) -> Option<&Result<Done, Error>> {
        self.clients[id.0].done.get(&request)
    }
}
