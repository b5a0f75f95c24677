//! Every limit of the protocol, in one place; the spec's chapter "Limits" lists the same numbers (spec: LIM).

use std::time::Duration;

/// Clock skew tolerated between devices and servers.
pub const CLOCK_SKEW: Duration = Duration::from_mins(5);
/// How long a Join stays good at most.
pub const JOIN_LIFETIME: Duration = Duration::from_mins(2);
/// How long a device certificate lasts.
pub const DEVICE_CERTIFICATE_LIFETIME: Duration = Duration::from_hours(7 * 24);
/// Longest domain, bytes, port included.
pub const DOMAIN_BYTES: usize = 255;
/// Longest user name, bytes.
pub const USER_NAME_BYTES: usize = 64;
/// Largest unary message, bytes.
pub const CONTROL_MESSAGE_BYTES: usize = 64 * 1024;
/// Most members of a session.
pub const MEMBERS: usize = 1_000;
/// Most devices waiting in a lobby.
pub const WAITING: usize = 200;
/// Most Joins answered by one commit.
pub const JOINS_PER_COMMIT: usize = 32;
/// Most hosts of a meeting, and most co-hosts.
pub const HOSTS: usize = 64;
/// Most domains in one list of a policy, and most jurisdictions.
pub const POLICY_DOMAINS: usize = 64;
/// Most banned addresses.
pub const BANS: usize = 500;
/// Most domains that may take over.
pub const SUCCESSION: usize = 16;
/// Most changes of one meeting's policy.
pub const POLICY_CHANGES: usize = 2_000;
/// How long a hub may be silent, if the creator does not say otherwise.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(15);
/// Largest record, bytes.
pub const RECORD_BYTES: usize = 48 * 1024;
/// Longest title, characters.
pub const TITLE_CHARACTERS: usize = 200;
/// Largest header of an entry, bytes.
pub const HEADER_BYTES: usize = 1_024;
/// Largest content of a Join, bytes.
pub const JOIN_BYTES: usize = 32 * 1024;
/// Largest content of a commit, bytes: the largest handshake and what surrounds it.
pub const COMMIT_BYTES: usize = 2_049 * 1_024;
/// Largest content of a message, bytes: the largest MLS message and what surrounds it.
pub const MESSAGE_BYTES: usize = 65 * 1_024;
/// Largest content of a Void, bytes.
pub const VOID_BYTES: usize = 32 * 1024;
/// Largest content of an Admit, Confirm, Leave or Withdraw, and largest Attendance, bytes.
pub const SMALL_ENTRY_BYTES: usize = 2 * 1024;
/// Most rejections that a Void shows.
pub const REJECTIONS: usize = 16;
/// Most commits logged after the last confirmed epoch.
pub const UNCONFIRMED_COMMITS: usize = 8;
/// How many trees a server keeps for joiners.
pub const TREES_KEPT: usize = 8;
/// How long a rejection waits for somebody to confirm the epoch, before the hub goes back.
pub const REJECTION_WAIT: Duration = Duration::from_secs(2);
/// How long a device has to commit when asked, before another one is.
pub const COMMIT_WAIT: Duration = Duration::from_secs(3);
/// How long a device has to found a session when asked, before another one is.
pub const FOUND_WAIT: Duration = Duration::from_secs(10);
/// Commits of one member: how many at once.
pub const COMMIT_BURST: u32 = 10;
/// Commits of one member: how many a second.
pub const COMMITS_PER_SECOND: u32 = 2;
/// Entries of one member that are no commits and no messages: how many at once.
pub const SMALL_BURST: u32 = 100;
/// Entries of one member that are no commits and no messages: how many a second.
pub const SMALL_PER_SECOND: u32 = 20;
/// Messages of one member, bytes at once; each counts at least [`MESSAGE_COST`].
pub const MESSAGE_BURST: u32 = 8 * 1024 * 1024;
/// Messages of one member, bytes a second.
pub const MESSAGE_BYTES_PER_SECOND: u32 = 4 * 1024 * 1024;
/// What a message counts at least, bytes.
pub const MESSAGE_COST: u32 = 512;
/// Largest submission that is told in passing, bytes.
pub const PASSING_BYTES: usize = 8 * 1024;
/// What one member says in passing: how much at once.
pub const PASSING_BURST: u32 = 40;
/// What one member says in passing: how much a second.
pub const PASSING_PER_SECOND: u32 = 8;
/// How often a line that is being typed is told at most.
pub const TYPING_INTERVAL: Duration = Duration::from_millis(250);
/// How long a member may be without a stream before its server says that it is away.
pub const AWAY_AFTER: Duration = Duration::from_secs(3);
/// How often its server says so again.
pub const AWAY_AGAIN: Duration = Duration::from_secs(5);
/// How long a device believes it, if it is not said again.
pub const AWAY_LASTS: Duration = Duration::from_secs(12);
/// Longest line of real-time text, characters.
pub const LINE_CHARACTERS: usize = 500;
/// Joins of one domain: how many at once.
pub const JOIN_BURST: u32 = 300;
/// Joins of one domain: how many a second.
pub const JOINS_PER_SECOND: u32 = 20;
/// Words of one domain on its own devices, and changes of the policy from outside: how many at once.
pub const WORD_BURST: u32 = 2_000;
/// Words of one domain on its own devices, and changes of the policy from outside: how many a second.
pub const WORDS_PER_SECOND: u32 = 400;
/// Most domains whose rates a hub remembers for one meeting.
pub const DOMAINS_REMEMBERED: usize = 1_024;
/// How long refused attempts are counted before members are told again.
pub const REFUSED_NOTICE: Duration = Duration::from_secs(10);
/// How long a guest's session lasts.
pub const GUEST_SESSION: Duration = Duration::from_hours(24);
/// Most guests of one organisation at one time.
pub const GUESTS: usize = 2_000;
/// Most organisations that a look from outside shows.
pub const LOOKED_AT_DOMAINS: usize = 64;
/// Longest chat message, characters.
pub const CHAT_CHARACTERS: usize = 8_000;
/// Most entries in one batch.
pub const ENTRIES_PER_BATCH: usize = 256;
/// Most bytes that are put together in one batch; a larger entry is a batch of its own.
pub const BATCH_BYTES: usize = 1_024 * 1_024;
/// How long a device CA's certificate lasts at most.
pub const DEVICE_CA_LIFETIME: Duration = Duration::from_hours(400 * 24);
/// Largest certificate, bytes.
pub const CERTIFICATE_BYTES: usize = 4 * 1024;
/// Longest display name, characters.
pub const DISPLAY_NAME_CHARACTERS: usize = 64;
/// Largest KeyPackage, bytes.
pub const KEY_PACKAGE_BYTES: usize = 16 * 1024;
/// Largest founding GroupInfo, bytes.
pub const GROUP_INFO_BYTES: usize = 64 * 1024;
/// Largest commit, bytes: 32 post-quantum Adds and a fresh path among 1,000 members fit.
pub const HANDSHAKE_BYTES: usize = 2 * 1024 * 1024;
/// Largest annotations of a commit, bytes: Removes of 1,000 members, 32 Adds and a policy fit.
pub const ANNOTATIONS_BYTES: usize = 128 * 1024;
/// Largest Welcome, bytes; it never holds the ratchet tree.
pub const WELCOME_BYTES: usize = 256 * 1024;
/// Largest ratchet tree, bytes.
pub const TREE_BYTES: usize = 8 * 1024 * 1024;
/// Most nodes of a ratchet tree: leaves for all members, rounded up to a power of two, and their parents.
pub const TREE_NODES: usize = 2_047;
/// Largest MLS application message, bytes.
pub const PRIVATE_MESSAGE_BYTES: usize = 64 * 1024;
/// By fewer messages than this, of one sender and epoch, may one of them come late.
pub const MESSAGES_OUT_OF_ORDER: u32 = 64;
/// Most messages of one sender and epoch that a member may have missed.
pub const MESSAGES_MISSED: u32 = 10_000;
/// Largest policy, bytes.
pub const POLICY_BYTES: usize = 32 * 1024;
/// Past epochs whose messages a member can still open.
pub const PAST_EPOCHS: usize = 5;
/// How long a server descriptor lasts at most.
pub const DESCRIPTOR_LIFETIME: Duration = Duration::from_hours(400 * 24);
/// Largest server descriptor, bytes, without the successions of its root.
pub const DESCRIPTOR_BYTES: usize = 16 * 1024;
/// Most endpoints of one kind in a descriptor.
pub const ENDPOINTS: usize = 8;
/// Longest endpoint, bytes.
pub const ENDPOINT_BYTES: usize = 260;
/// Most pinned federation TLS keys in a descriptor.
pub const FEDERATION_PINS: usize = 4;
/// Most signing keys in a descriptor.
pub const SIGNING_KEYS: usize = 8;
/// Longest id of a signing key, bytes.
pub const KEY_ID_BYTES: usize = 32;
/// Most protocol versions in a descriptor.
pub const PROTOCOL_VERSIONS: usize = 16;
/// Most features in a descriptor.
pub const FEATURES: usize = 32;
/// Longest name of a feature, bytes.
pub const FEATURE_BYTES: usize = 64;
/// Most successions of an organisation's root.
pub const ROOT_SUCCESSIONS: usize = 16;
/// Most domains that one party pins.
pub const PINNED_DOMAINS: usize = 65_536;
/// How long a sealing key lasts at most.
pub const SEALING_KEY_LIFETIME: Duration = Duration::from_hours(14 * 24);
/// How long a device uses a sealing key before it makes a new one.
pub const SEALING_KEY_RENEWAL: Duration = Duration::from_hours(7 * 24);
/// Largest sealed invitation, bytes.
pub const SEALED_INVITATION_BYTES: usize = 48 * 1024;

const _: () = assert!(TREE_NODES == 2 * MEMBERS.next_power_of_two() - 1, "every member has a leaf");
/// How long an invitation and its token stay good.
pub const INVITATION_LIFETIME: Duration = Duration::from_hours(7 * 24);
/// How long a token stays good that a host's device gives to whom it let in.
pub const READMISSION_LIFETIME: Duration = Duration::from_hours(12);
/// Most devices of one user that are invited.
pub const DEVICES_PER_USER: usize = 16;
/// Most tracks that one device publishes.
pub const TRACKS_PER_DEVICE: usize = 8;
/// How long a sender may go on with the keys of the last epoch, unless somebody was removed.
pub const KEY_OVERLAP: Duration = Duration::from_secs(1);
/// How long a receiver still opens frames of the last epoch.
pub const OLD_EPOCH_GRACE: Duration = Duration::from_secs(2);
/// Most key ids that a receiver remembers of one epoch.
pub const KEY_IDS: usize = 16_384;
/// Largest SDP offer, bytes.
pub const OFFER_BYTES: usize = 64 * 1024;
/// Most lines of an offer.
pub const OFFER_LINES: usize = 4_000;
/// Most sections of an offer: tracks and slots together.
pub const OFFER_SECTIONS: usize = 64;
/// Most candidates in an offer.
pub const OFFER_CANDIDATES: usize = 64;
/// Largest payload of an RTP packet, bytes.
pub const RTP_PAYLOAD_BYTES: usize = 1_500;
/// Largest dependency descriptor of an RTP packet, bytes.
pub const DEPENDENCIES_BYTES: usize = 100;
/// Most wishes of one device.
pub const WISHES: usize = 256;
/// Largest message on a relay link's control stream, bytes.
pub const RELAY_MESSAGE_BYTES: usize = 256 * 1024;
/// Most tracks of one session that another server announces.
pub const ANNOUNCED_TRACKS: usize = 1_024;
/// Most streams that a relay link carries in one direction.
pub const RELAY_STREAMS: usize = 1_024;
/// Most streams of one session that a relay link carries in one direction.
pub const RELAY_STREAMS_PER_SESSION: usize = 128;
/// What one control message of a relay link counts at least, and once more for each of these bytes.
pub const RELAY_CONTROL_UNIT: usize = 256;
/// Control messages that are taken from a relay link: how much at once.
pub const RELAY_CONTROL_BURST: u32 = 4_096;
/// Control messages that are taken from a relay link: how much a second.
pub const RELAY_CONTROL_PER_SECOND: u32 = 1_024;
/// Most fragments of one payload on a relay link.
pub const RELAY_FRAGMENTS: usize = 8;
/// Meetings that are not there which one user may name: how many at once.
pub const USER_MISS_BURST: u32 = 20;
/// Meetings that are not there which one user may name: how many a minute.
pub const USER_MISSES_PER_MINUTE: u32 = 12;
/// Meetings that are not there which another server may name: how many at once.
pub const PEER_MISS_BURST: u32 = 50;
/// Meetings that are not there which another server may name: how many a minute.
pub const PEER_MISSES_PER_MINUTE: u32 = 60;
/// Invitations that one other server may bring: how many at once.
pub const PEER_INVITATION_BURST: u32 = 1_000;
/// Invitations that one other server may bring: how many a minute.
pub const PEER_INVITATIONS_PER_MINUTE: u32 = 300;
/// Invitations that one user may get from one other server: how many at once.
pub const TARGET_INVITATION_BURST: u32 = 50;
/// Invitations that one user may get from one other server: how many a minute.
pub const TARGET_INVITATIONS_PER_MINUTE: u32 = 3;
/// How long a reader may leave its stream unread before it is cut off; it comes back by its cursor.
pub const SLOW_READER: Duration = Duration::from_secs(20);
/// How long a device waits before it asks again for a new certificate.
pub const RENEWAL_RETRY: Duration = Duration::from_mins(10);
