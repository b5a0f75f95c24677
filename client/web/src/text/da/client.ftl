-product = Conclave

starting = Starter …
loading-failed = { -product } kunne ikke starte: { $reason }
wrong-clock = Din enheds ur viser { $here }, men din servers viser { $there }. Stil uret, og prøv igen.
cannot-store = Denne browser gemmer ikke mere: disken er fuld, eller det er ikke tilladt. Skaf plads, eller forlad privat browsing, og prøv igen.
try-again = Prøv igen
other-tab = Denne enhed er i brug i en anden fane. Luk den der, og fortsæt her.
unsupported-title = Denne browser kan ikke kryptere opkald
unsupported = Den mangler det, som end-to-end-kryptering kræver (RTCRtpScriptTransform), og kan derfor ikke deltage. Aktuelle versioner af Chrome, Edge, Firefox og Safari kan.
dismiss = Ignorér
close = Luk
back = Tilbage
cancel = Annuller

sign-in-title = Log ind
user-name = Brugernavn
password = Adgangskode
sign-in = Log ind
signing-in = Logger ind …
guest-title = Kom som gæst
guest-name = Dit navn, som de andre ser det
guest-hint = Du bliver mærket som gæst hos { $domain }, hvis mødet lukker gæster ind.
guest-come = Fortsæt som gæst
have-account = Jeg har en konto her
elsewhere = Min konto er på en anden server
elsewhere-address = Din adresse der
elsewhere-hint = Du sendes videre til din egen server med dette link. Serveren, du ser nu, er blevet kontaktet én gang.
elsewhere-go = Til min server
elsewhere-malformed = En adresse ser ud som alice@north.example.
problem-malformed = Serveren forstod det ikke. Genindlæs siden.
problem-too-large = Det er mere, end serveren tager imod.
problem-rate-limited = For mange forsøg. Vent lidt, og prøv igen.
problem-not-signed-in = Din session er slut. Log ind igen.
problem-bad-credentials = Brugernavnet eller adgangskoden er forkert.
problem-not-found = Det blev ikke fundet, eller du må ikke kende det.
problem-not-entitled = Mødets regler tillader dig det ikke.
problem-bad-signature = En underskrift er ikke gyldig, så det blev afvist.
problem-bad-certificate = Et certifikat er ikke gyldigt, så det blev afvist.
problem-wrong-domain = En server talte for en organisation, der ikke er dens egen.
problem-pin-mismatch = Den anden organisations server viser en anden nøgle end før. Det må dens administrator tage sig af.
problem-peer-not-allowed = De to organisationers servere taler ikke med hinanden. Spørg din administrator.
problem-expired = Tiden for dette er udløbet. Prøv igen; hjælper det ikke, så kontrollér dit ur.
problem-replayed = Det er allerede gjort.
problem-no-admission = Intet giver dig adgang til mødet: du skal have en invitation eller hele linket, som det er nu.
problem-banned = Du blev fjernet fra mødet og kan ikke komme tilbage.
problem-locked = Mødet er låst: ingen nye kommer ind.
problem-ended = Mødet er afsluttet for altid.
problem-waiting = En vært skal lukke dig ind først.
problem-denied = En vært afviste dig.
problem-forbidden-commit = Denne ændring er imod mødets regler.
problem-wrong-epoch = Nogen var hurtigere. Prøv igen.
problem-log-broken = Mødets forløb passer ikke sammen, så din enhed følger det ikke længere.
problem-incompatible = De to sider har ingen fælles version af protokollen. Genindlæs siden.
problem-full = Der er ikke plads til flere. Prøv igen senere.
problem-unavailable = Serveren kan ikke nås. Kontrollér din forbindelse, og prøv igen.
problem-bug = Noget gik galt her. Genindlæs siden.
problem-barred = Din enhed må ikke ændre mere i denne session.
problem-not-in-meeting = Du er ikke i dette møde.
problem-already-in-meeting = Du er allerede i dette møde.
problem-nobody-there = Ingen med denne adresse er i rummet.
problem-no-link = Denne enhed kender ikke mødets link.
problem-too-long = Teksten er for lang: højst { $most } tegn.
problem-home-server = Din server sendte noget, der ikke kan være rigtigt, og din enhed afviste det.
problem-undecodable = En server sendte noget, som din enhed ikke forstår.
problem-bad-address = Det er ikke en adresse som navn@organisation.example.
problem-bad-name = Et navn har 1 til 64 tegn, og alle er synlige.
problem-unknown-domain = Din enhed kan ikke finde ud af, hvem { $domain } er.
problem-root-changed = { $domain } viser en anden nøgle end før. Stol ikke på den, før dens administrator har fortalt dig hvorfor.
problem-descriptor-contradicts = Serveren hos { $domain } modsiger, hvad den sagde før.
problem-wrong-clock = Efter dit ur er det, som { $domain } har underskrevet, ikke gyldigt nu. Indstil enhedens dato og klokkeslæt, og prøv igen.
problem-link-form = Det skal se ud som https://server/m/møde@organisation#hemmelighed.
problem-link-id-length = Delen før @ har { $found } tegn i stedet for 52. Blev hele linket kopieret?
problem-link-id-characters = Delen før @ indeholder et tegn, der ikke hører til der. Kopiér linket igen.
problem-link-hub = Delen efter @ er ikke navnet på en server. Kopiér linket igen.
problem-link-server = Det begynder ikke med navnet på en server. Kopiér linket igen.
problem-link-secret-length = Delen efter # har { $found } tegn i stedet for 43. Blev hele linket kopieret?
problem-link-secret-characters = Delen efter # indeholder et tegn, der ikke hører til der. Kopiér linket igen.
problem-change-refused = { $address } lavede en ændring, der er imod reglerne. Din enhed fulgte den ikke.
problem-others-went-on = De andre fortsatte med en ændring, som din enhed afviste.

greeting = Godt at se dig, { $name }
meet-now = Mød nu
meet-now-hint = Et nyt rum med et link, du kan dele
new-title = Hvad handler det om? (valgfrit)
with-lobby = Lad folk vente, til jeg lukker dem ind
with-guests = Folk uden konto må komme med linket
join-title = Deltag med et link
join-placeholder = Indsæt et link eller en adresse
join = Deltag
my-meetings = Mine møder
no-meetings = Ingen møder endnu. Start et, så står det her.
untitled = Møde uden titel
present =
    { $count ->
        [0] Ingen til stede
        [one] Én person til stede
       *[other] { $count } personer til stede
    }
ended = Slut
copy-link = Kopiér link
no-link = Denne enhed kender intet link, der lukker nogen ind. Invitér med adressen.
copied = Link kopieret
copy-by-hand = Browseren tillod ikke at kopiere. Kopiér linket her:
sign-out = Log ud
sign-out-everywhere = Log ud overalt
invites-you = { $who } inviterer dig: { $title }
invited-by = Inviteret af { $who }
bounced = Din invitation til { $who } kunne ikke leveres.
devices = Mine enheder
this-device = Denne enhed
signed-in-at = Logget ind { $when }

ready-title = Klar til at deltage?
preview-off = Dit kamera er slukket
you = Dig
camera = Kamera
microphone = Mikrofon
speaker = Højttaler
choose-default = Systemets standard
test-speaker = Test
camera-denied = Browseren må ikke bruge dit kamera. Tillad det i adresselinjen, og prøv igen. Du kan deltage uden.
camera-missing = Der blev ikke fundet noget kamera. Du kan deltage uden.
camera-busy = Et andet program bruger dit kamera. Du kan deltage uden.
camera-lost = Dit kamera er væk og derfor slukket.
microphone-denied = Browseren må ikke bruge din mikrofon. Tillad det i adresselinjen, og prøv igen. Du kan deltage og lytte.
microphone-missing = Der blev ikke fundet nogen mikrofon. Du kan deltage og lytte.
microphone-busy = Et andet program bruger din mikrofon. Du kan deltage og lytte.
microphone-lost = Din mikrofon er væk, så din lyd er slået fra.
level = Mikrofonens niveau
join-now = Deltag nu
joining = Beder om at komme ind …
waiting-title = En vært lukker dig ind
waiting = Du er inde, så snart nogen lukker dig ind. Ingen ser eller hører dig endnu.
encrypted-before = Det, du siger og viser, er krypteret fra din browser til deres. Ingen server har nøglen.
server-knows = Ligger på serveren hos { $hub }. Den server ser, hvem der deltager hvornår, aldrig hvad der bliver sagt.
bad-link = Dette link virker ikke: { $reason }

encrypted = End-to-end-krypteret
encrypted-hybrid = End-to-end-krypteret, også mod fremtidige kvantecomputere
encrypted-classical = End-to-end-krypteret, men ikke mod fremtidige kvantecomputere
mute = Slå lyd fra
unmute = Slå lyd til
camera-off = Sluk kameraet
camera-on = Tænd kameraet
share = Del skærm
stop-sharing = Stop deling
chat = Chat
people = Personer
people-count = Personer ({ $count })
leave = Forlad
end-for-all = Afslut for alle
end-for-all-sure = Afslut mødet for alle, for altid?
more = Mere
muted = Lyd slået fra
sharing = { $name } deler en skærm
alone = Der er ikke andre endnu
alone-hint = Send linket til dem.
full-screen = Fuld skærm
say-something = Skriv til alle
send = Send
no-messages = Det, du skriver her, er også krypteret.
unread =
    { $count ->
        [one] Én ny besked
       *[other] { $count } nye beskeder
    }
waiting-count =
    { $count ->
        [one] Én person venter på at blive lukket ind
       *[other] { $count } personer venter på at blive lukket ind
    }
says = { $name }: { $text }
verification-code = Kontrolkode
verification-hint = Læs den højt. Ser alle den samme, lytter ingen med.
in-the-room = I rummet
waiting-outside = Venter på at komme ind
admit = Luk ind
deny = Afvis
remove = Fjern
remove-sure = Fjern { $name }, og luk ikke vedkommende ind igen?
role-host = Vært
role-co-host = Medvært
role-guest = Gæst
role-participant = Deltager
verified = Bekræftet af { $organisation }
expired = Certifikatet fra { $organisation } er siden udløbet
lock = Lås mødet
unlock = Lås mødet op
lobby-on = Slå venterummet til
lobby-off = Slå venterummet fra
locked = Låst
hosting = For værter
entered = { $name } er her
gone = { $name } er gået
away = Ikke til at nå
away-hint = { $name } kan ikke nås lige nu
wants-in = { $name } vil ind
guest-wants-in = En gæst hos { $organisation } vil gerne ind
a-guest-of = En gæst hos { $organisation }
server-lost = Din server kan ikke nås. Prøver igen …
media-lost = Ingen lyd og billede lige nu. Prøver igen …
turn-sound-on = Slå de andres lyd til
media-failed = Lyd og billede kunne ikke startes her. Indlæs siden igen.
out-of-step = Du og { $name } er ikke i takt: måske holder en server noget tilbage for en af jer.
step-lost = Ikke i takt
statistics = Statistik
frames-sealed = Krypterede frames
frames-opened = Dekrypterede frames
frames-refused = Afviste frames

over-left = Du forlod mødet
over-removed = En vært fjernede dig fra mødet
over-denied = En vært afviste dig
over-ended = Mødet blev afsluttet for alle
over-refused = Du kunne ikke komme ind
over-cut-off = Du er ikke længere med i mødet
rejoin = Deltag igen
to-start = Til startsiden

controls = Betjening
settings = Indstillinger
shortcuts = Tastaturgenveje
shortcuts-hint = M: mikrofon. V: kamera. H: hånd. Mellemrum holdt nede: tal, mens mikrofonen er slået fra.
speaker-view = Vis den, der taler, stort
grid-view = Vis alle lige store
hide-self = Skjul mit eget billede
show-self = Vis mit eget billede
leave-full-screen = Forlad fuld skærm
pin = Hold stor
unpin = Hold ikke længere stor
pages = Sider med personer
previous-page = Forrige side
next-page = Næste side
page-of = { $page } af { $pages }
poor-connection = Forbindelsen er dårlig
stat-encryption = Kryptering
stat-path = Vej til din server
stat-milliseconds = { $count } ms frem og tilbage
stat-sent = Sendt
stat-rate = { $rate } kbit/s
stat-received = Modtaget
stat-from = Fra
stat-kind = Hvad
stat-picture = Billede
stat-amount = Mængde
stat-loss = Tabt
stat-percent = { $part } %
kind-audio = Lyd
kind-video = Kamera
kind-screen = Skærm
kind-screen_audio = Skærmens lyd

schedule = Planlæg et møde
schedule-hint = Med et tidspunkt og folk at invitere
when = Hvornår
how-long = Hvor længe
minutes =
    { $count ->
        [one] Et minut
       *[other] { $count } minutter
    }
in-the-past = Det tidspunkt er forbi.
calendar-file = Kalenderfil
invite = Invitér
invite-addresses = Adresser, adskilt af mellemrum eller komma
invite-hint = De får en invitation på deres egen server. Du kan også give et link videre, der fører dertil.
copy-link-for = Kopiér link til dem
not-addresses = Det er ikke adresser: { $list }
unreachable = Ingen enhed fundet for: { $list }
planned-but-unreachable = Mødet er planlagt. Ingen enhed fundet for: { $list }. Send dem linket.
invited =
    { $count ->
        [one] Én person inviteret
       *[other] { $count } personer inviteret
    }
invites-you-now = { $who } inviterer dig til { $title }

raise-hand = Ræk hånden op
lower-hand = Tag hånden ned
hand-of = { $name } rækker hånden op
hand-up = Hånden oppe, nummer { $place }
hands = Vil gerne tale
react = Reagér
reaction-thumbs_up = Tommel op
reaction-heart = Hjerte
reaction-applause = Bifald
reaction-laugh = Latter
reaction-surprise = Overraskelse
muted-by = { $name } slog din mikrofon fra. Slå den til, når du vil tale.
make-co-host = Gør til medvært
no-longer-co-host = Ikke længere medvært

hosts-are = Værter: { $hosts }.
organisations-are = Organisationer: { $organisations }.
organisation-unknown = { $organisation } (kunne ikke slås op)
has-lobby = En vært lukker dig ind.
is-locked = Mødet er låst: kun værterne kommer ind.
is-over = Mødet er afsluttet for altid.
being-written = Bliver skrevet nu
writes = { $name } skriver
letter-by-letter = Vis hvert bogstav, mens jeg skriver
sound-only = Kun lyd
with-pictures = Med billede igen
refused-at-door = En person fra { $domain } blev afvist ved døren (forsøg: { $times })
product = { -product }
