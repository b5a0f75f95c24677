//! A meeting of three organisations in which everything happens that may: one seed, one run.

mod intrusion;

use std::time::Duration;

use conclave_core::{
    device::{
        command::{Command, Door, MeetingAddress, NewMeeting, RequestId},
        event::Done,
    },
    group::Suite,
    meeting::{link::Link, log::Entry},
};

use crate::{
    client::ClientId,
    federation::Federation,
    intruder::Intruder,
    invariants::{Spoken, Violation, Watchman, check_agreement, check_chat, check_home},
    link::Conditions,
};

/// The organisations; the first one is the hub.
pub const DOMAINS: [&str; 3] = ["north.example", "south.example", "west.example"];
const PEOPLE: [(&str, &str); 6] = [
    ("alice", DOMAINS[0]),
    ("bob", DOMAINS[1]),
    ("carol", DOMAINS[1]),
    ("dave", DOMAINS[2]),
    ("erin", DOMAINS[2]),
    ("frank", DOMAINS[0]),
];

/// One run.
pub struct Scenario {
    /// Everybody.
    pub federation: Federation,
    /// Who checks.
    pub watchman: Watchman,
    /// The devices; the first one is the host's.
    pub people: Vec<ClientId>,
    /// Where they meet.
    pub meeting: MeetingAddress,
    /// How to get in.
    pub link: Link,
    /// What was said.
    pub spoken: Vec<(RequestId, u32, Spoken)>,
    /// What was done, for whoever looks for the reason of a failure.
    pub history: Vec<String>,
    /// How often an intruder tried something and was refused.
    pub intrusions: u64,
    intruder: Option<Intruder>,
    numbers: u64,
}

impl Scenario {
    /// People of three organisations, and a meeting with a link.
    ///
    /// # Panics
    /// If the meeting cannot be made.
    pub fn new(seed: u64, suite: Suite) -> Self {
        let mut federation = Federation::new(seed, Conditions::GOOD, &DOMAINS);
        let people: Vec<_> = PEOPLE.iter().map(|(user, domain)| federation.sign_in(user, domain)).collect();
        let new = NewMeeting {
            title: "Harvest".into(),
            starts_ms: 0,
            length_s: 0,
            lobby: federation.roll(3) == 0,
            link: true,
            guests: false,
            open_domains: Vec::new(),
            suite,
        };
        let created = federation.ask(people[0], Command::CreateMeeting(new)).expect("a meeting");
        let Done::Created { meeting, link: Some(link) } = created else { panic!("no link") };
        federation.link().change(if seed.is_multiple_of(4) { Conditions::GOOD } else { Conditions::BAD });
        Self {
            federation,
            watchman: Watchman::default(),
            people,
            meeting,
            link,
            spoken: Vec::new(),
            history: Vec::new(),
            intrusions: 0,
            intruder: None,
            numbers: 0,
        }
    }

    /// A good network, with alice at the hub and bob at a follower inside, and no lobby.
    ///
    /// # Panics
    /// If they cannot enter.
    pub fn two_inside(suite: Suite) -> Self {
        let mut scenario = Self::new(400, suite);
        let (alice, bob) = (scenario.people[0], scenario.people[1]);
        let meeting = scenario.meeting.clone();
        let steps = [
            (alice, Command::Join(Door::Address(meeting.clone()))),
            (alice, Command::Lobby { meeting, on: false }),
            (bob, Command::Join(Door::Link(scenario.link.clone()))),
        ];
        for (who, command) in steps {
            scenario.federation.ask(who, command).expect("a good network");
        }
        scenario.run_for(Duration::from_secs(5)).expect("nothing is wrong");
        scenario.check_end().expect("all agree");
        scenario
    }

    /// Somebody asks to enter by the link, and is in.
    ///
    /// # Panics
    /// If nobody lets it in.
    pub fn enter(&mut self, who: ClientId) {
        self.federation.ask(who, Command::Join(Door::Link(self.link.clone()))).expect("it enters");
        self.run_for(Duration::from_secs(5)).expect("nothing is wrong");
    }

    /// The hub's log of the last session.
    ///
    /// # Panics
    /// If there was none.
    pub fn log(&self) -> Vec<Entry> {
        let hosted = &self.federation.server(self.meeting.hub.as_str()).disk().hosted[&self.meeting.id];
        hosted.sessions.last_key_value().expect("a session").1.log.entries()
    }

    /// Some time passes, and everything is checked at each step.
    pub fn run_for(&mut self, time: Duration) -> Result<(), Violation> {
        let end = self.federation.now() + time;
        while self.federation.step(end) {
            self.watchman.check(&mut self.federation)?;
        }
        self.federation.wait_until(end);
        Ok(())
    }

    /// Things happen, then all is healed, and everybody agrees.
    pub fn run(&mut self, actions: u32) -> Result<(), Violation> {
        self.command(self.people[0], Command::Join(Door::Address(self.meeting.clone())));
        self.run_for(Duration::from_secs(1))?;
        for _ in 0..actions {
            self.act();
            self.intrude()?;
            let pause = Duration::from_millis(self.federation.roll(1_500).into());
            self.run_for(pause)?;
        }
        self.heal();
        self.run_for(Duration::from_mins(3))?;
        self.check_end()
    }

    /// What must be so once all is healed.
    pub fn check_end(&mut self) -> Result<(), Violation> {
        check_agreement(&self.federation, &self.meeting)?;
        let spoken = self.spoken.iter().map(|(request, life, spoken)| {
            let client = self.federation.client(spoken.author);
            let same = client.life() == *life;
            let acknowledged = same && matches!(client.done.get(request), Some(Ok(_)));
            Spoken { acknowledged, ..spoken.clone() }
        });
        check_chat(&self.federation, &spoken.collect::<Vec<_>>())?;
        check_home(&self.federation)
    }

    /// Nothing is cut, nothing is lost, nobody crashes any more.
    pub fn heal(&mut self) {
        self.history.push("heal".into());
        self.federation.link().heal();
        self.federation.link().change(Conditions::GOOD);
    }

    fn command(&mut self, who: ClientId, command: Command) -> RequestId {
        self.history.push(format!("{:?} {who:?} {command:?}", self.federation.now().as_ms() % 10_000_000));
        self.federation.command(who, command)
    }

    fn act(&mut self) {
        let who = self.people[self.federation.roll(6) as usize];
        let (meeting, host) = (self.meeting.clone(), self.people[0]);
        match self.federation.roll(100) {
            0..=24 => {
                let door = if who == host { Door::Address(meeting) } else { Door::Link(self.link.clone()) };
                self.command(who, Command::Join(door));
            }
            25..=29 => drop(self.command(who, Command::Leave(meeting))),
            30..=64 => self.say(who),
            65..=66 => {
                let address = self.federation.uri(who).user().clone();
                if who != host {
                    self.command(host, Command::Remove { meeting, address });
                }
            }
            67..=69 => {
                let locked = self.federation.roll(5) == 0;
                self.command(host, Command::Lock { meeting, locked });
            }
            70..=72 => {
                let on = self.federation.roll(3) == 0;
                self.command(host, Command::Lobby { meeting, on });
            }
            73..=82 => self.answer_the_door(host),
            83..=86 => self.crash_server(),
            87..=88 => {
                self.history.push(format!("crash {who:?}"));
                self.federation.crash_client(who);
            }
            89..=92 => self.cut(who),
            _ => {
                self.history.push("mend".into());
                self.federation.link().heal();
            }
        }
    }

    fn say(&mut self, who: ClientId) {
        self.numbers += 1;
        let client = self.federation.client(who);
        let life = client.life();
        let diary = client.diaries.get(&self.meeting);
        let (session, epoch) =
            (diary.and_then(|diary| diary.session), diary.and_then(super::client::Diary::epoch));
        let text = format!("{} {}", self.federation.uri(who).user().name(), self.numbers);
        let spoken = Spoken {
            author: who,
            meeting: self.meeting.clone(),
            session,
            text: text.clone(),
            epoch,
            acknowledged: false,
        };
        let request = self.command(who, Command::Chat { meeting: self.meeting.clone(), text });
        self.spoken.push((request, life, spoken));
    }

    fn answer_the_door(&mut self, host: ClientId) {
        let diary = self.federation.client(host).diaries.get(&self.meeting);
        for device in diary.map(|diary| diary.waiting.clone()).unwrap_or_default() {
            let admitted = self.federation.roll(4) != 0;
            self.command(host, Command::Admit { meeting: self.meeting.clone(), device, admitted });
        }
    }

    fn crash_server(&mut self) {
        let domain = DOMAINS[self.federation.roll(3) as usize];
        if self.federation.server(domain).is_down() {
            return;
        }
        let steps = self.federation.roll(8);
        self.history.push(format!("crash {domain} in {steps}"));
        if steps == 0 {
            self.federation.crash_server(domain, Duration::from_secs(2));
        } else {
            self.federation.server_mut(domain).light_fuse(steps);
        }
    }

    fn cut(&mut self, who: ClientId) {
        if self.federation.roll(2) == 0 {
            self.history.push(format!("cut {who:?}"));
            self.federation.cut_client(who);
        } else {
            let at = self.federation.roll(3) as usize;
            let (one, other) = (DOMAINS[at], DOMAINS[(at + 1) % 3]);
            self.history.push(format!("cut {one} from {other}"));
            self.federation.cut_servers(one, other);
        }
    }
}
