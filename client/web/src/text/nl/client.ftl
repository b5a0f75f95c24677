-product = Conclave

starting = Wordt gestart …
loading-failed = { -product } kon niet starten: { $reason }
wrong-clock = De klok van uw apparaat staat op { $here }, die van uw server op { $there }. Zet uw klok gelijk en probeer het opnieuw.
cannot-store = Deze browser slaat niets meer op: de schijf is vol of het mag niet. Maak ruimte of verlaat de privémodus en probeer het opnieuw.
try-again = Opnieuw proberen
other-tab = Dit apparaat is in gebruik in een ander tabblad. Sluit het daar en ga hier verder.
unsupported-title = Deze browser kan gesprekken niet versleutelen
unsupported = Er ontbreekt wat end-to-endversleuteling nodig heeft (RTCRtpScriptTransform), dus deelnemen kan niet. Huidige versies van Chrome, Edge, Firefox en Safari kunnen het wel.
dismiss = Negeren
close = Sluiten
back = Terug
cancel = Annuleren

sign-in-title = Aanmelden
user-name = Gebruikersnaam
password = Wachtwoord
sign-in = Aanmelden
signing-in = Bezig met aanmelden …
guest-title = Als gast komen
guest-name = Uw naam, zoals de anderen hem zien
guest-hint = U wordt gemarkeerd als gast van { $domain }, als de vergadering gasten toelaat.
guest-come = Verder als gast
have-account = Ik heb hier een account
elsewhere = Mijn account staat op een andere server
elsewhere-address = Uw adres daar
elsewhere-hint = U gaat met deze link naar uw eigen server. De server die u nu ziet, is één keer benaderd.
elsewhere-go = Naar mijn server
elsewhere-malformed = Een adres ziet eruit als alice@north.example.
problem-malformed = De server begreep dit niet. Laad de pagina opnieuw.
problem-too-large = Dat is meer dan de server aanneemt.
problem-rate-limited = Te veel pogingen. Wacht even en probeer het opnieuw.
problem-not-signed-in = Uw sessie is afgelopen. Meld u opnieuw aan.
problem-bad-credentials = De gebruikersnaam of het wachtwoord klopt niet.
problem-not-found = Dit is niet gevonden, of u mag het niet weten.
problem-not-entitled = De regels van deze vergadering staan u dit niet toe.
problem-bad-signature = Een handtekening klopt niet, dus dit is geweigerd.
problem-bad-certificate = Een certificaat klopt niet, dus dit is geweigerd.
problem-wrong-domain = Een server sprak namens een organisatie die niet de zijne is.
problem-pin-mismatch = De server van de andere organisatie toont een andere sleutel dan voorheen. De beheerder daar moet dit uitzoeken.
problem-peer-not-allowed = De servers van de twee organisaties praten niet met elkaar. Vraag het uw beheerder.
problem-expired = De tijd hiervoor is voorbij. Probeer het opnieuw; helpt dat niet, controleer dan uw klok.
problem-replayed = Dit is al gedaan.
problem-no-admission = Niets geeft u toegang tot deze vergadering: u hebt een uitnodiging nodig, of de hele link zoals die nu is.
problem-banned = U bent uit deze vergadering verwijderd en kunt niet terugkomen.
problem-locked = De vergadering is vergrendeld: er komt niemand meer bij.
problem-ended = Deze vergadering is voorgoed beëindigd.
problem-waiting = Een gastheer moet u eerst binnenlaten.
problem-denied = Een gastheer heeft u geweigerd.
problem-forbidden-commit = Deze wijziging is tegen de regels van de vergadering.
problem-wrong-epoch = Iemand was sneller. Probeer het opnieuw.
problem-log-broken = Het verloop van de vergadering klopt niet, dus uw apparaat volgt het niet meer.
problem-incompatible = Beide kanten delen geen versie van het protocol. Laad de pagina opnieuw.
problem-full = Er is geen plaats meer. Probeer het later opnieuw.
problem-unavailable = De server is niet bereikbaar. Controleer uw verbinding en probeer het opnieuw.
problem-bug = Hier ging iets mis. Laad de pagina opnieuw.
problem-barred = Uw apparaat mag in deze sessie niets meer wijzigen.
problem-not-in-meeting = U bent niet in deze vergadering.
problem-already-in-meeting = U bent al in deze vergadering.
problem-nobody-there = Niemand met dit adres is in de ruimte.
problem-no-link = Dit apparaat kent de link van de vergadering niet.
problem-too-long = Deze tekst is te lang: hoogstens { $most } tekens.
problem-home-server = Uw server stuurde iets dat niet kan kloppen; uw apparaat heeft het geweigerd.
problem-undecodable = Een server stuurde iets dat uw apparaat niet begrijpt.
problem-bad-address = Dit is geen adres zoals naam@organisatie.example.
problem-bad-name = Een naam heeft 1 tot 64 tekens, en die zijn allemaal zichtbaar.
problem-unknown-domain = Uw apparaat kan niet achterhalen wie { $domain } is.
problem-root-changed = { $domain } toont een andere sleutel dan voorheen. Vertrouw dit pas als de beheerder daar u heeft verteld waarom.
problem-descriptor-contradicts = De server van { $domain } spreekt tegen wat hij eerder zei.
problem-wrong-clock = Volgens uw klok is wat { $domain } ondertekende nu niet geldig. Zet datum en tijd van uw apparaat goed en probeer het opnieuw.
problem-link-form = De link moet eruitzien als https://server/m/vergadering@organisatie#geheim.
problem-link-id-length = Het deel voor de @ heeft { $found } tekens in plaats van 52. Is de link helemaal gekopieerd?
problem-link-id-characters = Het deel voor de @ bevat een teken dat daar niet hoort. Kopieer de link opnieuw.
problem-link-hub = Het deel na de @ is geen naam van een server. Kopieer de link opnieuw.
problem-link-server = De link begint niet met de naam van een server. Kopieer de link opnieuw.
problem-link-secret-length = Het deel na de # heeft { $found } tekens in plaats van 43. Is de link helemaal gekopieerd?
problem-link-secret-characters = Het deel na de # bevat een teken dat daar niet hoort. Kopieer de link opnieuw.
problem-change-refused = { $address } deed een wijziging die tegen de regels is. Uw apparaat heeft die niet gevolgd.
problem-others-went-on = De anderen gingen verder met een wijziging die uw apparaat heeft geweigerd.

greeting = Fijn dat u er bent, { $name }
meet-now = Nu vergaderen
meet-now-hint = Een nieuwe ruimte met een link om te delen
new-title = Waar gaat het over? (niet verplicht)
with-lobby = Laat mensen wachten tot ik ze toelaat
with-guests = Wie geen account heeft, mag met de link komen
join-title = Deelnemen met een link
join-placeholder = Plak een link of een adres
join = Deelnemen
my-meetings = Mijn vergaderingen
no-meetings = Nog geen vergaderingen. Begin er een, dan staat hij hier.
untitled = Vergadering zonder titel
present =
    { $count ->
        [0] Niemand aanwezig
        [one] Eén persoon aanwezig
       *[other] { $count } personen aanwezig
    }
ended = Voorbij
copy-link = Link kopiëren
no-link = Dit apparaat kent geen link die mensen binnenlaat. Nodig uit met het adres.
copied = Link gekopieerd
copy-by-hand = De browser stond kopiëren niet toe. Kopieer de link hier:
sign-out = Afmelden
sign-out-everywhere = Overal afmelden
invites-you = { $who } nodigt u uit: { $title }
invited-by = Uitgenodigd door { $who }
bounced = Uw uitnodiging aan { $who } kon niet worden bezorgd.
devices = Mijn apparaten
this-device = Dit apparaat
signed-in-at = Aangemeld op { $when }

ready-title = Klaar om deel te nemen?
preview-off = Uw camera staat uit
you = U
camera = Camera
microphone = Microfoon
speaker = Luidspreker
choose-default = Standaard van het systeem
test-speaker = Testen
camera-denied = De browser mag uw camera niet gebruiken. Sta het toe in de adresbalk en probeer het opnieuw. U kunt ook zonder deelnemen.
camera-missing = Geen camera gevonden. U kunt zonder deelnemen.
camera-busy = Een ander programma gebruikt uw camera. U kunt zonder deelnemen.
camera-lost = Uw camera is weg en staat dus uit.
microphone-denied = De browser mag uw microfoon niet gebruiken. Sta het toe in de adresbalk en probeer het opnieuw. U kunt deelnemen en luisteren.
microphone-missing = Geen microfoon gevonden. U kunt deelnemen en luisteren.
microphone-busy = Een ander programma gebruikt uw microfoon. U kunt deelnemen en luisteren.
microphone-lost = Uw microfoon is weg, dus u bent gedempt.
level = Niveau van de microfoon
join-now = Nu deelnemen
joining = Toegang wordt gevraagd …
waiting-title = Een gastheer laat u binnen
waiting = U bent binnen zodra iemand u toelaat. Nog niemand ziet of hoort u.
encrypted-before = Wat u zegt en laat zien is versleuteld van uw browser tot die van hen. Geen server heeft de sleutel.
server-knows = Gehost door { $hub }. Die server ziet wie wanneer deelneemt, nooit wat er gezegd wordt.
bad-link = Deze link werkt niet: { $reason }

encrypted = End-to-end versleuteld
encrypted-hybrid = End-to-end versleuteld, ook tegen toekomstige kwantumcomputers
encrypted-classical = End-to-end versleuteld, maar niet tegen toekomstige kwantumcomputers
mute = Dempen
unmute = Dempen opheffen
camera-off = Camera uitzetten
camera-on = Camera aanzetten
share = Scherm delen
stop-sharing = Stoppen met delen
chat = Chat
people = Personen
people-count = Personen ({ $count })
leave = Verlaten
end-for-all = Voor iedereen beëindigen
end-for-all-sure = De vergadering voor iedereen definitief beëindigen?
more = Meer
muted = Gedempt
sharing = { $name } deelt een scherm
alone = Er is nog niemand anders
alone-hint = Stuur de link.
full-screen = Volledig scherm
say-something = Schrijf aan iedereen
send = Verzenden
no-messages = Wat u hier schrijft, is ook versleuteld.
unread =
    { $count ->
        [one] Eén nieuw bericht
       *[other] { $count } nieuwe berichten
    }
waiting-count =
    { $count ->
        [one] Eén persoon wacht op toegang
       *[other] { $count } personen wachten op toegang
    }
says = { $name }: { $text }
verification-code = Controlecode
verification-hint = Lees hem voor. Ziet iedereen dezelfde, dan luistert niemand mee.
in-the-room = In de ruimte
waiting-outside = Wacht op toegang
admit = Toelaten
deny = Weigeren
remove = Verwijderen
remove-sure = { $name } verwijderen en niet meer toelaten?
role-host = Gastheer
role-co-host = Medegastheer
role-guest = Gast
role-participant = Deelnemer
verified = Bevestigd door { $organisation }
expired = Het certificaat van { $organisation } is intussen verlopen
lock = Vergadering vergrendelen
unlock = Vergadering ontgrendelen
lobby-on = Wachtruimte aanzetten
lobby-off = Wachtruimte uitzetten
locked = Vergrendeld
hosting = Voor gastheren
entered = { $name } is er
gone = { $name } is weg
away = Niet bereikbaar
away-hint = { $name } is op dit moment niet bereikbaar
wants-in = { $name } wil binnenkomen
guest-wants-in = Een gast van { $organisation } wil binnenkomen
a-guest-of = Een gast van { $organisation }
server-lost = Uw server is niet bereikbaar. Nieuwe poging …
media-lost = Nu even geen beeld en geluid. Nieuwe poging …
turn-sound-on = Geluid aanzetten
media-failed = Geluid en beeld konden hier niet worden gestart. Laad de pagina opnieuw.
out-of-step = U en { $name } lopen niet gelijk: misschien houdt een server iets achter voor een van u.
step-lost = Loopt niet gelijk
statistics = Statistieken
frames-sealed = Versleutelde frames
frames-opened = Ontsleutelde frames
frames-refused = Geweigerde frames

over-left = U hebt de vergadering verlaten
over-removed = Een gastheer heeft u uit de vergadering verwijderd
over-denied = Een gastheer heeft u geweigerd
over-ended = De vergadering is voor iedereen beëindigd
over-refused = U kon niet binnenkomen
over-cut-off = U zit niet meer in de vergadering
rejoin = Opnieuw deelnemen
to-start = Naar de startpagina

controls = Bediening
settings = Instellingen
shortcuts = Sneltoetsen
shortcuts-hint = M: microfoon. V: camera. H: hand. Spatie ingedrukt: praten terwijl de microfoon uit is.
speaker-view = Wie spreekt groot tonen
grid-view = Iedereen even groot tonen
hide-self = Mijn eigen beeld verbergen
show-self = Mijn eigen beeld tonen
leave-full-screen = Volledig scherm verlaten
pin = Groot houden
unpin = Niet meer groot houden
pages = Pagina’s met mensen
previous-page = Vorige pagina
next-page = Volgende pagina
page-of = { $page } van { $pages }
poor-connection = De verbinding is slecht
stat-encryption = Versleuteling
stat-path = Weg naar uw server
stat-milliseconds = { $count } ms heen en terug
stat-sent = Verzonden
stat-rate = { $rate } kbit/s
stat-received = Ontvangen
stat-from = Van
stat-kind = Wat
stat-picture = Beeld
stat-amount = Hoeveelheid
stat-loss = Verloren
stat-percent = { $part } %
kind-audio = Geluid
kind-video = Camera
kind-screen = Scherm
kind-screen_audio = Geluid van het scherm

schedule = Vergadering plannen
schedule-hint = Met een tijd en mensen om uit te nodigen
when = Wanneer
how-long = Hoe lang
minutes =
    { $count ->
        [one] Eén minuut
       *[other] { $count } minuten
    }
in-the-past = Deze tijd is al voorbij.
calendar-file = Agendabestand
invite = Uitnodigen
invite-addresses = Adressen, gescheiden door spaties of komma’s
invite-hint = Zij krijgen een uitnodiging op hun eigen server. U kunt ook een link doorgeven die daarheen leidt.
copy-link-for = Link voor hen kopiëren
not-addresses = Dit zijn geen adressen: { $list }
unreachable = Geen apparaat gevonden voor: { $list }
planned-but-unreachable = De vergadering is gepland. Geen apparaat gevonden voor: { $list }. Stuur hun de link.
invited =
    { $count ->
        [one] Eén persoon uitgenodigd
       *[other] { $count } mensen uitgenodigd
    }
invites-you-now = { $who } nodigt u uit voor { $title }

raise-hand = Hand opsteken
lower-hand = Hand laten zakken
hand-of = { $name } steekt de hand op
hand-up = Hand omhoog, nummer { $place }
hands = Willen iets zeggen
react = Reageren
reaction-thumbs_up = Duim omhoog
reaction-heart = Hart
reaction-applause = Applaus
reaction-laugh = Lachen
reaction-surprise = Verbazing
muted-by = { $name } heeft u gedempt. Hef dat op als u wilt spreken.
make-co-host = Medegastheer maken
no-longer-co-host = Geen medegastheer meer

hosts-are = Gastheren: { $hosts }.
organisations-are = Organisaties: { $organisations }.
organisation-unknown = { $organisation } (kon niet worden opgezocht)
has-lobby = Een gastheer laat u binnen.
is-locked = De vergadering is vergrendeld: alleen de gastheren komen binnen.
is-over = Deze vergadering is voorgoed beëindigd.
being-written = Wordt nu geschreven
writes = { $name } schrijft
letter-by-letter = Elke letter tonen terwijl ik typ
sound-only = Alleen geluid
with-pictures = Weer met beeld
refused-at-door = Iemand van { $domain } is bij de deur geweigerd (pogingen: { $times })
product = { -product }
