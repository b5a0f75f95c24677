//! The device's events in words and in JSON.

use conclave_core::{
    device::{
        Error as DeviceError,
        command::MeetingAddress,
        event::{
            CallEvent, Done, Event, Invited, Looked, Meeting, Member, Over, Roster, Standing, Verification,
        },
    },
    group::suite::Suite,
    identity::address::UserAddress,
    meeting::policy::{Policy, Role},
};
use conclave_proto::types::v1::ErrorReason;
use serde_json::{Value, json};

use crate::{
    media::{
        Kind,
        worker::{Report, Statistics},
    },
    screen::Note,
    terminal::clean,
};

/// `ID@HUB`.
pub fn address(meeting: &MeetingAddress) -> String {
    format!("{}@{}", meeting.id, meeting.hub)
}

/// An event that is not a command's end.
pub fn event(event: &Event) -> Note {
    match event {
        Event::Done { result, .. } => match result {
            Ok(done) => self::done(done),
            Err(error) => self::error(error),
        },
        Event::SignedOut => Note::new("signed_out", json!({}), "Your session has ended. Sign in again."),
        Event::Invited(invited) => invitation(invited),
        Event::Bounced { recipient, reason } => Note::new(
            "bounced",
            json!({ "recipient": recipient, "reason": reason }),
            format!("Your invitation to {} could not be delivered: {}", clean(recipient), clean(reason)),
        ),
        Event::Call { meeting, event } => call_event(meeting, event),
    }
}

/// What a command gave.
pub fn done(done: &Done) -> Note {
    match done {
        Done::Plain => Note::new("done", json!({ "ok": true }), ""),
        Done::SignedIn(device) => Note::new(
            "signed_in",
            json!({ "device": device.to_string(), "address": device.user().to_string() }),
            format!("Signed in as {}. This device is {device}.", device.user()),
        ),
        Done::SignedOut(ended) => {
            let text = format!("Signed out {}.", count(ended, "device"));
            Note::new("signed_out", json!({ "ended": ended }), text)
        }
        Done::Devices(devices) => {
            let all: Vec<Value> = devices
                .iter()
                .map(|d| {
                    json!({ "device": d.device, "label": d.label, "signed_in_ms": d.signed_in_ms,
                            "last_seen_ms": d.last_seen_ms, "this_device": d.this_device })
                })
                .collect();
            let lines: Vec<String> = devices
                .iter()
                .map(|d| {
                    format!(
                        "{}  {}{}",
                        d.device,
                        clean(&d.label),
                        if d.this_device { "  (this one)" } else { "" }
                    )
                })
                .collect();
            Note::new("devices", json!({ "devices": all }), lines.join("\n"))
        }
        Done::Created { meeting, link } => {
            let link = link.as_ref().map(ToString::to_string);
            let text = match &link {
                Some(link) => format!("Whoever has this link gets in:\n  {link}"),
                None => "No link admits; invite people by address.".to_owned(),
            };
            let meeting = address(meeting);
            let text = format!("Meeting {meeting}\n{text}");
            Note::new("created", json!({ "meeting": meeting, "link": link }), text)
        }
        Done::Meetings(all) => meetings(all),
        Done::Link(link) => Note::new("link", json!({ "link": link.to_string() }), link.to_string()),
        Done::Looked(looked) => self::looked(looked),
        Done::Invited { devices, unreachable } => {
            let nobody: Vec<String> = unreachable.iter().map(ToString::to_string).collect();
            let mut lines = Vec::new();
            if *devices > 0 {
                lines.push(format!("Sent to {}.", count(devices, "device")));
            }
            lines.extend(nobody.iter().map(|address| {
                format!("{address} has no device signed in, or is not known there: nothing was sent.")
            }));
            Note::new("invited", json!({ "devices": devices, "unreachable": nobody }), lines.join("\n"))
        }
    }
}

fn looked(looked: &Looked) -> Note {
    let hosts: Vec<String> = looked.hosts.iter().map(ToString::to_string).collect();
    let organisations: Vec<Value> = looked
        .organisations
        .iter()
        .map(|(domain, law)| json!({ "domain": domain.to_string(), "jurisdiction": law }))
        .collect();
    let where_is = |law: &Option<String>| law.clone().unwrap_or_else(|| "could not be looked up".to_owned());
    let domains = looked.organisations.iter().map(|(domain, law)| format!("{domain} ({})", where_is(law)));
    let domains: Vec<String> = domains.collect();
    let title = clean(looked.title.as_deref().filter(|title| !title.is_empty()).unwrap_or("(no title)"));
    let inside = match (looked.ended, looked.running, looked.present) {
        (true, ..) => "over".to_owned(),
        (false, true, Some(present)) => format!("{present} there now"),
        (false, true, None) => "somebody is there".to_owned(),
        (false, false, _) => "nobody there".to_owned(),
    };
    Note::new(
        "looked",
        json!({ "meeting": address(&looked.meeting), "title": looked.title, "starts_ms": looked.starts_ms,
                "length_s": looked.length_s, "creator": looked.creator.to_string(), "hosts": hosts,
                "organisations": organisations, "present": looked.present, "running": looked.running,
                "lobby": looked.lobby, "locked": looked.locked, "ended": looked.ended,
                "guests_allowed": looked.guests_allowed }),
        format!("{title}, {inside}\n  Hosts: {}\n  Organisations: {}", hosts.join(", "), domains.join(", ")),
    )
}

/// One thing, two things.
fn count(number: &impl ToString, what: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Why something did not work.
pub fn error(error: &DeviceError) -> Note {
    let reason = error.reason().as_str_name().trim_start_matches("ERROR_REASON_").to_ascii_lowercase();
    let mut note = failure(&reason, &error.to_string());
    if matches!(error, DeviceError::Meeting(_)) && error.reason() == ErrorReason::NotEntitled {
        note.text = format!("Error: This is for hosts: {}", clean(&error.to_string()));
    }
    note
}

/// What a person may do with a meeting that was just created.
pub fn next_steps(title: &str, meeting: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.');
    let name = match title {
        "" => meeting.to_owned(),
        _ if !title.chars().all(plain) || title.starts_with('-') => meeting.to_owned(),
        _ if title.contains(' ') => format!("\"{title}\""),
        _ => title.to_owned(),
    };
    format!("To enter:   conclave join {name}\nTo invite:  conclave meeting invite {name} bob@south.example")
}

/// Why something did not work for one of several people.
pub fn error_about(address: &UserAddress, error: &DeviceError) -> Note {
    let mut note = self::error(error);
    note.text = format!("Error: {address}: {}", clean(&error.to_string()));
    note.fields["address"] = address.to_string().into();
    note
}

/// Something that did not work, for a reason of the protocol or of this program.
pub fn failure(reason: &str, message: &str) -> Note {
    Note::new(
        "error",
        json!({ "ok": false, "reason": reason, "message": message }),
        format!("Error: {}", clean(&sentence(message))),
    )
}

/// With a capital letter at its beginning, unless that is a name or a file.
fn sentence(text: &str) -> String {
    let (first, _) = text.split_once(' ').unwrap_or((text, ""));
    let is_word = first.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'\'' || byte == b',');
    match text.get(..1) {
        Some(letter) if is_word => letter.to_ascii_uppercase() + &text[1..],
        _ => text.to_owned(),
    }
}

fn meetings(all: &[Meeting]) -> Note {
    let fields: Vec<Value> = all.iter().map(meeting_fields).collect();
    let lines: Vec<String> = all.iter().map(meeting_line).collect();
    let text = if lines.is_empty() { "No meetings yet.".to_owned() } else { lines.join("\n") };
    Note::new("meetings", json!({ "meetings": fields }), text)
}

/// One meeting of the list.
pub fn meeting(meeting: &Meeting) -> Note {
    Note::new("meeting", meeting_fields(meeting), meeting_line(meeting))
}

fn meeting_fields(meeting: &Meeting) -> Value {
    json!({ "meeting": address(&meeting.address), "title": meeting.title, "present": meeting.present,
            "ended": meeting.ended, "link": meeting.link.as_ref().map(ToString::to_string) })
}

fn meeting_line(meeting: &Meeting) -> String {
    let title = clean(meeting.title.as_deref().filter(|title| !title.is_empty()).unwrap_or("(no title)"));
    let state = match (meeting.ended, meeting.present) {
        (true, _) => "over".to_owned(),
        (false, 0) => "nobody there".to_owned(),
        (false, present) => format!("{present} there now"),
    };
    let link = meeting.link.as_ref().map(|link| format!("\n  {link}")).unwrap_or_default();
    format!("{title}, {state}\n  {}{link}", address(&meeting.address))
}

fn invitation(invited: &Invited) -> Note {
    let title = if invited.title.is_empty() { "a meeting".to_owned() } else { clean(&invited.title) };
    Note::new(
        "invitation",
        json!({ "meeting": address(&invited.meeting), "inviter": invited.inviter.to_string(), "title": invited.title,
                "starts_ms": invited.starts_ms, "link": invited.link.to_string(), "expires_ms": invited.expires.as_ms() }),
        format!("{} invites you to {title}:\n  conclave join '{}'", invited.inviter, invited.link),
    )
}

/// Something that happened in a call.
pub fn call_event(meeting: &MeetingAddress, event: &CallEvent) -> Note {
    match event {
        CallEvent::Standing(Standing::Asked) => Note::new("standing", json!({ "state": "asked" }), ""),
        CallEvent::Standing(Standing::Waiting) => {
            Note::new("standing", json!({ "state": "waiting" }), "A host must let you in.")
        }
        CallEvent::Entered { session, suite } => joined(meeting, session.0, *suite),
        CallEvent::Roster(roster) => self::roster(roster),
        CallEvent::Waiting(device) => Note::new(
            "waiting",
            json!({ "device": device.to_string(), "address": device.user().to_string() }),
            format!(
                "{} waits to be let in:  /admit {}  or  /deny {}",
                device.user(),
                device.user(),
                device.user()
            ),
        ),
        CallEvent::WaitingEnded(device) => Note::new(
            "waiting_ended",
            json!({ "device": device.to_string(), "address": device.user().to_string() }),
            format!("{} waits no longer.", device.user()),
        ),
        CallEvent::Chat { from, text, message_id, time, sequence } => Note::new(
            "chat",
            json!({ "from": from.user().to_string(), "device": from.to_string(), "text": text,
                    "message_id": data_encoding::HEXLOWER.encode(message_id), "time_ms": time.as_ms(),
                    "sequence": sequence.0 }),
            format!("{}: {}", from.user(), clean(text)),
        ),
        CallEvent::Policy { policy, .. } => self::policy(policy),
        CallEvent::Tracks { device, tracks } => {
            let all: Vec<Value> =
                tracks.iter().map(|t| json!({ "track": t.number, "kind": t.kind })).collect();
            Note::new("tracks", json!({ "device": device.to_string(), "tracks": all }), "")
        }
        CallEvent::Hand { device, raised } => {
            let text = if raised.is_some() { "raises a hand" } else { "has the hand down" };
            Note::new(
                "hand",
                json!({ "device": device.to_string(), "raised": raised.is_some(), "order": raised.map_or(0, |at| at.0) }),
                format!("{} {text}.", device.user()),
            )
        }
        CallEvent::Reaction { device, reaction } => {
            let name = reaction.as_str_name().trim_start_matches("REACTION_").to_ascii_lowercase();
            let text = format!("{} reacts: {}", device.user(), name.replace('_', " "));
            Note::new("reaction", json!({ "device": device.to_string(), "reaction": name }), text)
        }
        CallEvent::Typing { device, line, text, done, time } => Note::new(
            "typing",
            json!({ "device": device.to_string(), "address": device.user().to_string(), "line": line, "text": text,
                    "done": done, "time_ms": time.as_ms() }),
            if *done { format!("{} typed: {}", device.user(), clean(text)) } else { String::new() },
        ),
        CallEvent::Away { device, away } => Note::new(
            "away",
            json!({ "device": device.to_string(), "address": device.user().to_string(), "away": away }),
            format!("{} {}.", device.user(), if *away { "cannot be reached now" } else { "is back" }),
        ),
        CallEvent::MutedBy(device) => Note::new(
            "muted_by",
            json!({ "device": device.to_string(), "address": device.user().to_string() }),
            format!("{} muted your microphone.", device.user()),
        ),
        CallEvent::Keys(keys) => {
            Note::new("keys", json!({ "epoch": keys.keys.epoch().0, "at_once": keys.at_once }), "")
        }
        CallEvent::RefusedAttempt { domain, times } => Note::new(
            "refused_attempt",
            json!({ "domain": domain.to_string(), "times": times }),
            format!("Somebody of {domain} was refused at the door ({}).", count(times, "time")),
        ),
        CallEvent::Voided { by } => Note::new(
            "voided",
            json!({ "by": by.to_string() }),
            format!("A change by {} could not be followed and was taken back.", by.user()),
        ),
        CallEvent::Connected(up) => {
            let text =
                if *up { "Your server is back." } else { "Your server is out of reach; trying again." };
            Note::new("connection", json!({ "connected": up }), text)
        }
        CallEvent::Alarm(error) => {
            let sentence = error.to_string();
            let text = format!("WARNING: {}", clean(&sentence));
            Note::new("alarm", json!({ "id": error.problem().id(), "message": sentence }), text)
        }
        CallEvent::Over(over) => self::over(over),
    }
}

fn joined(meeting: &MeetingAddress, session: u64, suite: Suite) -> Note {
    let (name, text) = match suite {
        Suite::Hybrid => ("hybrid", "end-to-end encrypted, also against future quantum computers"),
        Suite::Classical => ("classical", "end-to-end encrypted, but not against future quantum computers"),
    };
    Note::new(
        "joined",
        json!({ "meeting": address(meeting), "session": session, "suite": name }),
        format!("You are in: {text}. Type to chat, /help for more."),
    )
}

/// Who is in the room.
pub fn roster(roster: &Roster) -> Note {
    let fields: Vec<Value> = roster
        .members
        .iter()
        .map(|member| {
            json!({ "device": member.device.to_string(), "address": member.device.user().to_string(),
                    "organisation": member.device.domain().to_string(), "name": member.display_name,
                    "role": role(member.role), "verification": verification(member), "self": member.is_self,
                    "leaf": member.leaf.0 })
        })
        .collect();
    let members: Vec<&Member> = roster.members.iter().collect();
    let lines = member_lines(&members);
    Note::new(
        "roster",
        json!({ "epoch": roster.epoch.0, "code": roster.verification_code, "members": fields }),
        format!("In the room ({}):\n  {}", lines.len(), lines.join("\n  ")),
    )
}

/// Who came and who went between two rosters.
pub fn comings_and_goings(old: &Roster, new: &Roster) -> String {
    let missing =
        |from: &Roster, member: &&Member| from.members.iter().all(|other| other.device != member.device);
    let came: Vec<&Member> = new.members.iter().filter(|member| missing(old, member)).collect();
    let went: Vec<&Member> = old.members.iter().filter(|member| missing(new, member)).collect();
    let came = member_lines(&came).into_iter().map(|line| format!("Came: {line}"));
    let went = member_lines(&went).into_iter().map(|line| format!("Gone: {line}"));
    came.chain(went).collect::<Vec<_>>().join("\n")
}

/// The code that all members compare.
pub fn code(roster: &Roster) -> Note {
    Note::new(
        "code",
        json!({ "epoch": roster.epoch.0, "code": roster.verification_code }),
        format!(
            "Verification code: {}\nCompare it aloud: unless it is the same for everybody, somebody listens in.",
            roster.verification_code
        ),
    )
}

/// Name, address, part and who vouches for it, in columns.
fn member_lines(members: &[&Member]) -> Vec<String> {
    let rows: Vec<[String; 4]> = members.iter().map(|member| member_row(member)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    rows.iter()
        .map(|[name, address, part, vouched]| {
            format!("{name:0$}  {address:1$}  {part:2$}  {vouched}", widths[0], widths[1], widths[2])
        })
        .collect()
}

fn member_row(member: &Member) -> [String; 4] {
    let you = if member.is_self { ", you" } else { "" };
    let domain = member.device.domain();
    let vouched = match member.verification {
        Verification::Certified => format!("certified by {domain}"),
        Verification::Expired => format!("CERTIFICATE OF {domain} HAS RUN OUT"),
    };
    let part = format!("{}{you}", role(member.role));
    [clean(&member.display_name), member.device.user().to_string(), part, vouched]
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Guest => "guest",
        Role::Participant => "participant",
        Role::CoHost => "co-host",
        Role::Host => "host",
    }
}

const fn verification(member: &Member) -> &'static str {
    match member.verification {
        Verification::Certified => "certified",
        Verification::Expired => "expired",
    }
}

fn policy(policy: &Policy) -> Note {
    let rules = policy.rules();
    let banned: Vec<String> = rules.banned.iter().map(ToString::to_string).collect();
    let hosts: Vec<String> = rules.hosts.iter().map(ToString::to_string).collect();
    let mut words = Vec::new();
    words.push(if rules.locked { "locked" } else { "open" });
    words.push(if rules.lobby { "lobby on" } else { "lobby off" });
    words.push(if rules.link_key.is_some() { "the link admits" } else { "no link admits" });
    Note::new(
        "policy",
        json!({ "version": policy.version(), "hosts": hosts, "banned": banned, "lobby": rules.lobby,
                "locked": rules.locked, "ended": rules.ended, "link": rules.link_key.is_some() }),
        format!("The rules: {}.", words.join(", ")),
    )
}

fn over(over: &Over) -> Note {
    let (name, text) = match over {
        Over::Left => ("left", "You left.".to_owned()),
        Over::Removed => ("removed", "A host removed you; you cannot come back to this meeting.".to_owned()),
        Over::Denied => ("denied", "A host turned you away.".to_owned()),
        Over::Ended => ("ended", "The meeting was ended for everybody.".to_owned()),
        Over::Refused(why) => ("refused", format!("You could not enter: {}", clean(&why.to_string()))),
    };
    Note::new("over", json!({ "reason": name, "message": text }), text)
}

/// What the media worker tells.
pub fn media(report: &Report) -> Note {
    match report {
        Report::Connected(Ok(())) => {
            Note::new("media", json!({ "state": "connected" }), "Sound and pictures: connected.")
        }
        Report::Connected(Err(why)) => Note::new(
            "media",
            json!({ "state": "disconnected", "message": why }),
            format!("Sound and pictures: none for now ({why}); trying again."),
        ),
        Report::FirstFrame { device, track, kind } => Note::new(
            "media",
            json!({ "state": "first_frame", "device": device.to_string(), "track": track.0, "kind": kind }),
            format!("{} from {}.", if *kind == Kind::Audio { "Sound" } else { "Pictures" }, device.user()),
        ),
        Report::Recording { device, track, kind, file } => Note::new(
            "recording",
            json!({ "device": device.to_string(), "track": track.0, "kind": kind, "file": file }),
            format!("Recording {} to {}.", device.user(), file.display()),
        ),
        Report::Failed(message) => failure("file", message),
        Report::Finished(statistics) => {
            Note::new("media", json!({ "state": "finished", "statistics": statistics }), finished(statistics))
        }
    }
}

fn finished(statistics: &Statistics) -> String {
    match (statistics.frames_sent, statistics.frames_received) {
        (0, 0) => String::new(),
        (sent, received) => format!("Frames: {sent} sent, {received} received."),
    }
}

#[cfg(test)]
mod tests {
    use conclave_core::{
        device::io::ApiError,
        identity::address::{DeviceUri, Domain},
        ids::{MeetingId, Sequence},
        time::Time,
    };

    use super::*;

    #[test]
    fn c19_what_others_write_stays_on_its_line() {
        let meeting = MeetingAddress {
            id: MeetingId::from_bytes([7; 32]),
            hub: Domain::parse("north.example").unwrap(),
        };
        let text = "hi\nalice@north.example: I agree\r\u{1b}[1A".to_owned();
        let chat = CallEvent::Chat {
            from: DeviceUri::parse("conclave://south.example/u/bob/d/1a2b3c4d5e6f7a8b").unwrap(),
            text: text.clone(),
            message_id: [1; 16],
            time: Time::from_ms(1),
            sequence: Sequence(9),
        };
        let note = call_event(&meeting, &chat);
        assert_eq!(note.text, "bob@south.example: hi alice@north.example: I agree \u{fffd}[1A");
        assert_eq!(note.fields["text"], text);
        let told = event(&Event::Bounced { recipient: "x\ny".to_owned(), reason: "a\nb".to_owned() });
        assert_eq!(told.text.lines().count(), 1);
        assert_eq!(failure("local", "a\nb").text.lines().count(), 1);
        let reason = ErrorReason::Bug;
        let refused = DeviceError::Api(ApiError { reason, message: "a\nb".to_owned(), retry_after: None });
        assert_eq!(over(&Over::Refused(refused)).text.lines().count(), 1);
    }
}
