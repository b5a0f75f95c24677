//! The device's events as JSON for view models.

use conclave_core::{
    device::{
        Error as DeviceError,
        command::MeetingAddress,
        event::{
            CallEvent, Done, Event, Invited, Looked, Meeting, Member, Over, Roster, Standing, Verification,
        },
        problem::Problem,
    },
    group::suite::Suite,
    meeting::{
        link::Link,
        policy::{Policy, Role},
    },
};
use conclave_proto::types::v1::{self as types, ErrorReason};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

/// One event.
pub(crate) fn event(event: &Event) -> Value {
    match event {
        Event::Done { request, result } => {
            let (done, error) = match result {
                Ok(done) => (done_fields(done), Value::Null),
                Err(failed) => (Value::Null, error(failed)),
            };
            json!({ "type": "done", "request": request.0, "done": done, "error": error })
        }
        Event::SignedOut => json!({ "type": "signed_out" }),
        Event::Invited(invited) => invitation(invited),
        Event::Bounced { recipient, reason } => {
            json!({ "type": "bounced", "recipient": recipient, "reason": reason })
        }
        Event::Call { meeting, event } => {
            json!({ "type": "call", "meeting": address(meeting), "event": call_event(event) })
        }
    }
}

/// The protocol's name of a reason, in small letters.
pub(crate) fn reason(reason: ErrorReason) -> String {
    reason.as_str_name().trim_start_matches("ERROR_REASON_").to_ascii_lowercase()
}

fn error(error: &DeviceError) -> Value {
    let mut fields = problem(&error.problem());
    fields["reason"] = reason(error.reason()).into();
    fields
}

/// A sentence's id and what stands in it, for the texts of every language.
pub(crate) fn problem(problem: &Problem) -> Value {
    let arguments = problem.arguments().into_iter().map(|(name, value)| (name.to_owned(), value.into()));
    json!({ "id": problem.id(), "arguments": arguments.collect::<serde_json::Map<_, _>>() })
}

pub(crate) fn address(meeting: &MeetingAddress) -> String {
    format!("{}@{}", meeting.id, meeting.hub)
}

fn done_fields(done: &Done) -> Value {
    match done {
        Done::Plain => json!({ "type": "plain" }),
        Done::SignedIn(device) => {
            json!({ "type": "signed_in", "device": device.to_string(), "address": device.user().to_string() })
        }
        Done::SignedOut(ended) => json!({ "type": "signed_out", "ended": ended }),
        Done::Devices(devices) => {
            let all = devices.iter().map(|d| {
                json!({ "device": d.device, "label": d.label, "signed_in_ms": d.signed_in_ms,
                        "last_seen_ms": d.last_seen_ms, "this_device": d.this_device })
            });
            json!({ "type": "devices", "devices": all.collect::<Value>() })
        }
        Done::Created { meeting, link } => json!({ "type": "created", "meeting": address(meeting),
            "link": link.as_ref().map(ToString::to_string) }),
        Done::Meetings(all) => {
            json!({ "type": "meetings", "meetings": all.iter().map(meeting).collect::<Value>() })
        }
        Done::Link(link) => json!({ "type": "link", "link": link.to_string() }),
        Done::Looked(looked) => self::looked(looked),
        Done::Invited { devices, unreachable } => json!({ "type": "invited", "devices": devices,
            "unreachable": unreachable.iter().map(ToString::to_string).collect::<Value>() }),
    }
}

fn meeting(meeting: &Meeting) -> Value {
    let invited = meeting.invited.as_ref();
    let invited =
        invited.map(|invited| json!({ "by": invited.by.to_string(), "dismissed": invited.dismissed }));
    json!({ "meeting": address(&meeting.address), "invited": invited, "title": meeting.title, "starts_ms": meeting.starts_ms, "length_s": meeting.length_s, "present": meeting.present,
            "ended": meeting.ended, "link": meeting.link.as_ref().map(ToString::to_string) })
}

fn looked(looked: &Looked) -> Value {
    let hosts: Value = looked.hosts.iter().map(ToString::to_string).collect();
    let organisations = looked.organisations.iter();
    let organisations =
        organisations.map(|(domain, law)| json!({ "domain": domain.to_string(), "jurisdiction": law }));
    json!({ "type": "looked", "meeting": address(&looked.meeting), "title": looked.title,
            "starts_ms": looked.starts_ms, "length_s": looked.length_s, "creator": looked.creator.to_string(),
            "hub": looked.meeting.hub.to_string(), "suite": suite(looked.suite), "hosts": hosts,
            "organisations": organisations.collect::<Value>(), "present": looked.present, "running": looked.running,
            "lobby": looked.lobby, "locked": looked.locked, "ended": looked.ended,
            "guests_allowed": looked.guests_allowed })
}

fn invitation(invited: &Invited) -> Value {
    json!({ "type": "invited", "meeting": address(&invited.meeting), "inviter": invited.inviter.to_string(),
            "title": invited.title, "starts_ms": invited.starts_ms, "length_s": invited.length_s, "link": invited.link.to_string(),
            "expires_ms": invited.expires.as_ms() })
}

fn call_event(event: &CallEvent) -> Value {
    match event {
        CallEvent::Standing(standing) => {
            let state = match standing {
                Standing::Asked => "asked",
                Standing::Waiting => "waiting",
            };
            json!({ "type": "standing", "state": state })
        }
        CallEvent::Entered { session, suite } => {
            json!({ "type": "entered", "session": session.0, "suite": self::suite(*suite) })
        }
        CallEvent::Roster(roster) => self::roster(roster),
        CallEvent::Waiting(device) => {
            json!({ "type": "waiting", "device": device.to_string(), "address": device.user().to_string() })
        }
        CallEvent::WaitingEnded(device) => json!({ "type": "waiting_ended", "device": device.to_string() }),
        CallEvent::Chat { from, text, message_id, time, .. } => {
            let id = HEXLOWER.encode(message_id);
            json!({ "type": "chat", "device": from.to_string(), "address": from.user().to_string(), "text": text,
                    "id": id, "time_ms": time.as_ms() })
        }
        CallEvent::Policy { policy, link } => self::policy(policy, link.as_ref()),
        CallEvent::Tracks { device, tracks } => {
            let all = tracks.iter().map(|track| json!({ "number": track.number, "kind": kind(track) }));
            json!({ "type": "tracks", "device": device.to_string(), "tracks": all.collect::<Value>() })
        }
        CallEvent::Hand { device, raised } => {
            json!({ "type": "hand", "device": device.to_string(), "raised": raised.is_some(),
                    "order": raised.map_or(0, |at| at.0) })
        }
        CallEvent::Reaction { device, reaction } => {
            let name = reaction.as_str_name().trim_start_matches("REACTION_").to_ascii_lowercase();
            json!({ "type": "reaction", "device": device.to_string(), "reaction": name })
        }
        CallEvent::Typing { device, line, text, done, time } => {
            json!({ "type": "typing", "device": device.to_string(), "address": device.user().to_string(),
                    "line": line, "text": text, "done": done, "time_ms": time.as_ms() })
        }
        CallEvent::Away { device, away } => {
            json!({ "type": "away", "device": device.to_string(), "away": away })
        }
        CallEvent::MutedBy(device) => {
            json!({ "type": "muted_by", "device": device.to_string(), "address": device.user().to_string() })
        }
        CallEvent::Keys(keys) => json!({ "type": "keys", "epoch": keys.keys.epoch().0 }),
        CallEvent::RefusedAttempt { domain, times } => {
            json!({ "type": "refused_attempt", "domain": domain.to_string(), "times": times })
        }
        CallEvent::Voided { by } => json!({ "type": "voided", "address": by.user().to_string() }),
        CallEvent::Connected(up) => json!({ "type": "connection", "connected": up }),
        CallEvent::Alarm(error) => json!({ "type": "alarm", "problem": problem(&error.problem()) }),
        CallEvent::Over(over) => self::over(over),
    }
}

fn roster(roster: &Roster) -> Value {
    let members = roster.members.iter().map(|member| {
        json!({ "device": member.device.to_string(), "address": member.device.user().to_string(),
                "organisation": member.device.domain().to_string(), "name": member.display_name,
                "role": role(member.role), "verification": verification(member), "self": member.is_self })
    });
    json!({ "type": "roster", "epoch": roster.epoch.0, "code": roster.verification_code,
            "members": members.collect::<Value>() })
}

fn policy(policy: &Policy, link: Option<&Link>) -> Value {
    let rules = policy.rules();
    let hosts: Value = rules.hosts.iter().map(ToString::to_string).collect();
    let co_hosts: Value = rules.co_hosts.iter().map(ToString::to_string).collect();
    json!({ "type": "policy", "hosts": hosts, "co_hosts": co_hosts, "guests_allowed": rules.guests_allowed, "lobby": rules.lobby, "locked": rules.locked, "ended": rules.ended,
            "link": link.map(ToString::to_string) })
}

fn over(over: &Over) -> Value {
    let (reason, why) = match over {
        Over::Left => ("left", None),
        Over::Removed => ("removed", None),
        Over::Denied => ("denied", None),
        Over::Ended => ("ended", None),
        Over::Refused(why) => ("refused", Some(problem(&why.problem()))),
    };
    json!({ "type": "over", "reason": reason, "problem": why })
}

const fn suite(suite: Suite) -> &'static str {
    match suite {
        Suite::Hybrid => "hybrid",
        Suite::Classical => "classical",
    }
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

fn kind(track: &types::Track) -> &'static str {
    match track.kind() {
        types::TrackKind::Audio => "audio",
        types::TrackKind::Video => "video",
        types::TrackKind::Screen => "screen",
        types::TrackKind::ScreenAudio => "screen_audio",
        types::TrackKind::Unspecified => "unknown",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use super::*;

    /// The web client's tests hold its texts against this list, which so cannot lag behind core.
    #[test]
    fn the_list_of_problems_that_the_texts_are_tested_with_is_complete() {
        let listed = serde_json::from_str::<Value>(include_str!("../../web/test/problems.json")).unwrap();
        let all: serde_json::Map<_, _> =
            Problem::all().into_iter().map(|(id, arguments)| (id, arguments.into())).collect();
        assert_eq!(listed, Value::Object(all.clone()), "{}", serde_json::to_string_pretty(&all).unwrap());
    }
}
