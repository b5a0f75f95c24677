# The texts of the client for browsers. A term with a dash is used within others.

-product = Conclave

starting = Starting …
loading-failed = { -product } could not start: { $reason }
wrong-clock = Your device’s clock says { $here }, but your server’s says { $there }. Set your clock right, then try again.
cannot-store = This browser stores nothing more: its disk is full, or it forbids it. Make room or leave private browsing, then try again.
try-again = Try again
other-tab = This device is in use in another tab. Close it there, then go on here.
unsupported-title = This browser cannot encrypt calls
unsupported = It lacks what end-to-end encryption needs (RTCRtpScriptTransform), so it cannot join. Current versions of Chrome, Edge, Firefox and Safari can.
dismiss = Dismiss
close = Close
back = Back
cancel = Cancel

sign-in-title = Sign in
user-name = User name
password = Password
sign-in = Sign in
signing-in = Signing in …
guest-title = Come as a guest
guest-name = Your name, as the others will see it
guest-hint = You will be marked as a guest of { $domain }, if the meeting lets guests in.
guest-come = Go on as a guest
have-account = I have an account here
elsewhere = My account is on another server
elsewhere-address = Your address there
elsewhere-hint = You will be handed to your own server with this link. The server that you see now was contacted once.
elsewhere-go = Go to my server
elsewhere-malformed = An address looks like alice@north.example.
problem-malformed = The server did not understand this. Load the page again.
problem-too-large = That is more than the server takes.
problem-rate-limited = Too many attempts. Wait a moment, then try again.
problem-not-signed-in = Your session has ended. Sign in again.
problem-bad-credentials = The user name or the password is not right.
problem-not-found = This was not found, or you may not know of it.
problem-not-entitled = The rules of this meeting do not let you do this.
problem-bad-signature = A signature does not hold, so this was refused.
problem-bad-certificate = A certificate does not hold, so this was refused.
problem-wrong-domain = A server spoke for an organisation that is not its own.
problem-pin-mismatch = The other organisation’s server shows another key than before. Its administrator must sort this out.
problem-peer-not-allowed = The two organisations’ servers do not talk to each other. Ask your administrator.
problem-expired = The time of this is over. Try again; if that does not help, check your clock.
problem-replayed = This was done already.
problem-no-admission = Nothing lets you into this meeting: you need an invitation, or the whole link as it is now.
problem-banned = You were removed from this meeting and cannot come back.
problem-locked = The meeting is locked: nobody new gets in.
problem-ended = This meeting was ended for good.
problem-waiting = A host must let you in first.
problem-denied = A host turned you away.
problem-forbidden-commit = This change breaks the rules of the meeting.
problem-wrong-epoch = Somebody was faster. Try again.
problem-log-broken = The meeting’s history does not fit together, so your device no longer follows it.
problem-incompatible = The two sides share no version of the protocol. Load the page again.
problem-full = There is no room left. Try again later.
problem-unavailable = The server cannot be reached. Check your connection and try again.
problem-bug = Something went wrong here. Load the page again.
problem-barred = Your device may make no more changes in this session.
problem-not-in-meeting = You are not in this meeting.
problem-already-in-meeting = You are in this meeting already.
problem-nobody-there = Nobody with this address is in the room.
problem-no-link = This device does not know the meeting’s link.
problem-too-long = This text is too long: at most { $most } characters.
problem-home-server = Your server sent something that cannot be right, and your device refused it.
problem-undecodable = A server sent something that your device does not understand.
problem-bad-address = This is not an address like name@organisation.example.
problem-bad-name = A name has 1 to 64 characters, all of them visible.
problem-unknown-domain = Your device cannot find out who { $domain } is.
problem-root-changed = { $domain } shows another key than before. Do not trust it before its administrator has told you why.
problem-descriptor-contradicts = The server of { $domain } contradicts what it said before.
problem-wrong-clock = By your clock, what { $domain } signed is not valid now. Set date and time of your device, then try again.
problem-link-form = It should look like https://server/m/meeting@organisation#secret.
problem-link-id-length = The part before the @ has { $found } characters instead of 52. Was the link copied whole?
problem-link-id-characters = The part before the @ holds a character that does not belong there. Copy the link again.
problem-link-hub = The part after the @ is not the name of a server. Copy the link again.
problem-link-server = It does not begin with the name of a server. Copy the link again.
problem-link-secret-length = The part after the # has { $found } characters instead of 43. Was the link copied whole?
problem-link-secret-characters = The part after the # holds a character that does not belong there. Copy the link again.
problem-change-refused = { $address } made a change that breaks the rules. Your device did not follow it.
problem-others-went-on = The others went on with a change that your device refused.

greeting = Good to see you, { $name }
meet-now = Meet now
meet-now-hint = A new room with a link to share
new-title = What is it about? (optional)
with-lobby = Let people wait until I admit them
with-guests = People without an account may come by the link
join-title = Join with a link
join-placeholder = Paste a link or an address
join = Join
my-meetings = My meetings
no-meetings = No meetings yet. Start one, and it will be here.
untitled = Meeting without a title
present =
    { $count ->
        [0] Nobody there
        [one] One person there
       *[other] { $count } people there
    }
ended = Over
copy-link = Copy link
no-link = This device knows no link that lets people in. Invite them by their address.
copied = Link copied
copy-by-hand = The browser did not let the link be copied. Copy it here:
sign-out = Sign out
sign-out-everywhere = Sign out everywhere
invites-you = { $who } invites you to { $title }
invited-by = Invited by { $who }
bounced = Your invitation to { $who } could not be delivered.
devices = My devices
this-device = This device
signed-in-at = Signed in { $when }

ready-title = Ready to join?
preview-off = Your camera is off
you = You
camera = Camera
microphone = Microphone
speaker = Speaker
choose-default = System default
test-speaker = Test
camera-denied = The browser may not use your camera. Allow it in the address bar, then try again. You can join without it.
camera-missing = No camera was found. You can join without it.
camera-busy = Another program uses your camera. You can join without it.
camera-lost = Your camera is gone, so it is off.
microphone-denied = The browser may not use your microphone. Allow it in the address bar, then try again. You can join without it and listen.
microphone-missing = No microphone was found. You can join and listen.
microphone-busy = Another program uses your microphone. You can join and listen.
microphone-lost = Your microphone is gone, so you are muted.
level = Microphone level
join-now = Join now
joining = Asking to enter …
waiting-title = A host will let you in
waiting = You will be in as soon as somebody admits you. Nobody sees or hears you yet.
encrypted-before = What you say and show is encrypted from your browser to theirs. No server has the key.
server-knows = Hosted by { $hub }. Its server sees who takes part and when, never what is said.
bad-link = This link does not work: { $reason }

encrypted = End-to-end encrypted
encrypted-hybrid = End-to-end encrypted, also against future quantum computers
encrypted-classical = End-to-end encrypted, but not against future quantum computers
mute = Mute
unmute = Unmute
camera-off = Turn camera off
camera-on = Turn camera on
share = Share screen
stop-sharing = Stop sharing
chat = Chat
people = People
people-count = People ({ $count })
leave = Leave
end-for-all = End for all
end-for-all-sure = End the meeting for everybody, for good?
more = More
muted = Muted
sharing = { $name } shares a screen
alone = Nobody else is here yet
alone-hint = Send them the link.
full-screen = Full screen
say-something = Write to everybody
send = Send
no-messages = What you write here is encrypted too.
unread =
    { $count ->
        [one] One new message
       *[other] { $count } new messages
    }
waiting-count =
    { $count ->
        [one] One person waits to be let in
       *[other] { $count } people wait to be let in
    }
says = { $name }: { $text }
verification-code = Verification code
verification-hint = Read it aloud. If everybody sees the same, nobody listens in.
in-the-room = In the room
waiting-outside = Waiting to be let in
admit = Admit
deny = Deny
remove = Remove
remove-sure = Remove { $name } and keep them out?
role-host = Host
role-co-host = Co-host
role-guest = Guest
role-participant = Participant
verified = Certified by { $organisation }
expired = The certificate from { $organisation } has run out since
lock = Lock the meeting
unlock = Unlock the meeting
lobby-on = Turn the lobby on
lobby-off = Turn the lobby off
locked = Locked
hosting = For hosts
entered = { $name } is here
gone = { $name } has left
away = Away
away-hint = { $name } cannot be reached at the moment
wants-in = { $name } wants to come in
guest-wants-in = A guest of { $organisation } wants to come in
a-guest-of = A guest of { $organisation }
server-lost = Your server is out of reach. Trying again …
media-lost = No sound and pictures for now. Trying again …
turn-sound-on = Turn sound on
media-failed = Sound and pictures could not be started here. Load the page again.
out-of-step = You are out of step with { $name }: a server may be keeping something back from one of you.
step-lost = Out of step
statistics = Statistics
frames-sealed = Frames sealed
frames-opened = Frames opened
frames-refused = Frames refused

over-left = You left the meeting
over-removed = A host removed you from the meeting
over-denied = A host turned you away
over-ended = The meeting was ended for everybody
over-refused = You could not enter
over-cut-off = You are no longer in the meeting
rejoin = Join again
to-start = To the start page

controls = Controls
settings = Settings
shortcuts = Keyboard shortcuts
shortcuts-hint = M: microphone. V: camera. H: hand. Space, held: talk while muted.
speaker-view = Show who speaks large
grid-view = Show everybody alike
hide-self = Hide my own picture
show-self = Show my own picture
leave-full-screen = Leave full screen
pin = Keep large
unpin = No longer keep large
pages = Pages of people
previous-page = Previous page
next-page = Next page
page-of = { $page } of { $pages }
poor-connection = The connection is poor
stat-encryption = Encryption
stat-path = Way to your server
stat-milliseconds = { $count } ms there and back
stat-sent = Sent
stat-rate = { $rate } kbit/s
stat-received = Received
stat-from = From
stat-kind = What
stat-picture = Picture
stat-amount = Amount
stat-loss = Lost
stat-percent = { $part } %
kind-audio = Sound
kind-video = Camera
kind-screen = Screen
kind-screen_audio = Sound of the screen

schedule = Plan a meeting
schedule-hint = With a time, and people to invite
when = When
how-long = How long
minutes =
    { $count ->
        [one] One minute
       *[other] { $count } minutes
    }
in-the-past = This time is past.
calendar-file = Calendar file
invite = Invite
invite-addresses = People’s addresses, apart by spaces or commas
invite-hint = They get an invitation at their own server. You can also pass on a link that leads there.
copy-link-for = Copy link for them
not-addresses = These are no addresses: { $list }
unreachable = No device was found for: { $list }
planned-but-unreachable = The meeting is planned. No device was found for: { $list }. Send them the link.
invited =
    { $count ->
        [one] Invited one person
       *[other] Invited { $count } people
    }
invites-you-now = { $who } invites you to { $title }

raise-hand = Raise hand
lower-hand = Lower hand
hand-of = { $name } raised a hand
hand-up = Hand up, number { $place }
hands = Want to speak
react = React
reaction-thumbs_up = Thumbs up
reaction-heart = Heart
reaction-applause = Applause
reaction-laugh = Laughter
reaction-surprise = Surprise
muted-by = { $name } muted you. Unmute when you want to speak.
make-co-host = Make co-host
no-longer-co-host = No longer co-host

hosts-are = Hosts: { $hosts }.
organisations-are = Organisations: { $organisations }.
organisation-unknown = { $organisation } (could not be looked up)
has-lobby = A host will let you in.
is-locked = The meeting is locked: only its hosts get in.
is-over = This meeting was ended for good.
being-written = Being written
writes = { $name } is writing
letter-by-letter = Show others each letter as I type
sound-only = Sound only
with-pictures = With pictures again
refused-at-door = Somebody from { $domain } was turned away at the door (tries: { $times })
product = { -product }
