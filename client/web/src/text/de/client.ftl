-product = Conclave

starting = Wird gestartet …
loading-failed = { -product } konnte nicht starten: { $reason }
wrong-clock = Die Uhr Ihres Geräts zeigt { $here }, die Ihres Servers { $there }. Stellen Sie Ihre Uhr richtig und versuchen Sie es noch einmal.
cannot-store = Dieser Browser speichert nichts mehr: Der Speicher ist voll, oder er erlaubt es nicht. Schaffen Sie Platz oder verlassen Sie den privaten Modus und versuchen Sie es noch einmal.
try-again = Noch einmal
other-tab = Dieses Gerät wird in einem anderen Tab benutzt. Schließen Sie ihn dort, dann geht es hier weiter.
unsupported-title = Dieser Browser kann Anrufe nicht verschlüsseln
unsupported = Ihm fehlt, was Ende-zu-Ende-Verschlüsselung braucht (RTCRtpScriptTransform); daher kann er nicht teilnehmen. Aktuelle Versionen von Chrome, Edge, Firefox und Safari können es.
dismiss = Verwerfen
close = Schließen
back = Zurück
cancel = Abbrechen

sign-in-title = Anmelden
user-name = Benutzername
password = Passwort
sign-in = Anmelden
signing-in = Anmeldung läuft …
guest-title = Als Gast kommen
guest-name = Ihr Name, wie ihn die anderen sehen
guest-hint = Sie werden als Gast von { $domain } gekennzeichnet, falls die Besprechung Gäste einlässt.
guest-come = Als Gast weiter
have-account = Ich habe hier ein Konto
elsewhere = Mein Konto ist auf einem anderen Server
elsewhere-address = Ihre Adresse dort
elsewhere-hint = Sie werden mit diesem Link an Ihren eigenen Server übergeben. Der Server, den Sie jetzt sehen, wurde einmal kontaktiert.
elsewhere-go = Zu meinem Server
elsewhere-malformed = Eine Adresse sieht aus wie alice@north.example.
problem-malformed = Der Server hat das nicht verstanden. Laden Sie die Seite neu.
problem-too-large = Das ist mehr, als der Server annimmt.
problem-rate-limited = Zu viele Versuche. Warten Sie einen Moment und versuchen Sie es dann noch einmal.
problem-not-signed-in = Ihre Sitzung ist abgelaufen. Melden Sie sich neu an.
problem-bad-credentials = Benutzername oder Passwort stimmt nicht.
problem-not-found = Das wurde nicht gefunden, oder Sie dürfen es nicht sehen.
problem-not-entitled = Die Regeln dieser Besprechung erlauben Ihnen das nicht.
problem-bad-signature = Eine Unterschrift ist ungültig; deshalb wurde das abgelehnt.
problem-bad-certificate = Ein Zertifikat ist ungültig; deshalb wurde das abgelehnt.
problem-wrong-domain = Ein Server hat für eine fremde Organisation gesprochen.
problem-pin-mismatch = Der Server der anderen Organisation zeigt einen anderen Schlüssel als bisher. Das muss deren Verwaltung klären.
problem-peer-not-allowed = Die Server der beiden Organisationen sprechen nicht miteinander. Fragen Sie Ihre Verwaltung.
problem-expired = Die Zeit dafür ist um. Versuchen Sie es noch einmal; hilft das nicht, prüfen Sie Ihre Uhr.
problem-replayed = Das wurde schon getan.
problem-no-admission = Nichts lässt Sie in diese Besprechung: Sie brauchen eine Einladung oder den ganzen Link, wie er jetzt gilt.
problem-banned = Sie wurden aus dieser Besprechung entfernt und können nicht zurückkehren.
problem-locked = Die Besprechung ist gesperrt: Niemand Neues kommt hinein.
problem-ended = Diese Besprechung wurde endgültig beendet.
problem-waiting = Ein Gastgeber muss Sie erst hereinlassen.
problem-denied = Ein Gastgeber hat Sie abgewiesen.
problem-forbidden-commit = Diese Änderung verstößt gegen die Regeln der Besprechung.
problem-wrong-epoch = Jemand war schneller. Versuchen Sie es noch einmal.
problem-log-broken = Der Verlauf der Besprechung passt nicht zusammen; deshalb folgt Ihr Gerät ihm nicht mehr.
problem-incompatible = Beide Seiten haben keine gemeinsame Version des Protokolls. Laden Sie die Seite neu.
problem-full = Es ist kein Platz mehr frei. Versuchen Sie es später.
problem-unavailable = Der Server ist nicht erreichbar. Prüfen Sie Ihre Verbindung.
problem-bug = Hier ist etwas schiefgegangen. Laden Sie die Seite neu.
problem-barred = Ihr Gerät darf in dieser Sitzung nichts mehr ändern.
problem-not-in-meeting = Sie sind nicht in dieser Besprechung.
problem-already-in-meeting = Sie sind schon in dieser Besprechung.
problem-nobody-there = Niemand mit dieser Adresse ist im Raum.
problem-no-link = Dieses Gerät kennt den Link der Besprechung nicht.
problem-too-long = Dieser Text ist zu lang: höchstens { $most } Zeichen.
problem-home-server = Ihr Server hat etwas geschickt, das nicht stimmen kann; Ihr Gerät hat es abgelehnt.
problem-undecodable = Ein Server hat etwas geschickt, das Ihr Gerät nicht versteht.
problem-bad-address = Das ist keine Adresse wie name@organisation.example.
problem-bad-name = Ein Name hat 1 bis 64 Zeichen, und alle sind sichtbar.
problem-unknown-domain = Ihr Gerät kann nicht herausfinden, wer { $domain } ist.
problem-root-changed = { $domain } zeigt einen anderen Schlüssel als bisher. Vertrauen Sie ihm erst, wenn die dortige Verwaltung es Ihnen erklärt hat.
problem-descriptor-contradicts = Der Server von { $domain } widerspricht dem, was er früher gesagt hat.
problem-wrong-clock = Nach Ihrer Uhr ist jetzt nicht gültig, was { $domain } unterschrieben hat. Stellen Sie Datum und Uhrzeit Ihres Geräts richtig und versuchen Sie es noch einmal.
problem-link-form = Er sollte aussehen wie https://server/m/besprechung@organisation#geheimnis.
problem-link-id-length = Der Teil vor dem @ hat { $found } statt 52 Zeichen. Wurde der Link ganz kopiert?
problem-link-id-characters = Der Teil vor dem @ enthält ein Zeichen, das nicht dorthin gehört. Kopieren Sie den Link noch einmal.
problem-link-hub = Der Teil nach dem @ ist kein Name eines Servers. Kopieren Sie den Link noch einmal.
problem-link-server = Er beginnt nicht mit dem Namen eines Servers. Kopieren Sie den Link noch einmal.
problem-link-secret-length = Der Teil nach dem # hat { $found } statt 43 Zeichen. Wurde der Link ganz kopiert?
problem-link-secret-characters = Der Teil nach dem # enthält ein Zeichen, das nicht dorthin gehört. Kopieren Sie den Link noch einmal.
problem-change-refused = { $address } hat etwas geändert, das gegen die Regeln verstößt. Ihr Gerät ist dem nicht gefolgt.
problem-others-went-on = Die anderen sind einer Änderung gefolgt, die Ihr Gerät abgelehnt hat.

greeting = Schön, dass Sie da sind, { $name }
meet-now = Jetzt treffen
meet-now-hint = Ein neuer Raum mit einem Link zum Weitergeben
new-title = Worum geht es? (freiwillig)
with-lobby = Andere warten, bis ich sie einlasse
with-guests = Wer kein Konto hat, darf mit dem Link kommen
join-title = Mit einem Link teilnehmen
join-placeholder = Link oder Adresse einfügen
join = Teilnehmen
my-meetings = Meine Besprechungen
no-meetings = Noch keine Besprechung. Beginnen Sie eine, dann steht sie hier.
untitled = Besprechung ohne Titel
present =
    { $count ->
        [0] Niemand da
        [one] Eine Person da
       *[other] { $count } Personen da
    }
ended = Vorbei
copy-link = Link kopieren
no-link = Dieses Gerät kennt keinen Link, der jemanden hereinlässt. Laden Sie mit der Adresse ein.
copied = Link kopiert
copy-by-hand = Der Browser hat das Kopieren nicht erlaubt. Kopieren Sie den Link hier:
sign-out = Abmelden
sign-out-everywhere = Überall abmelden
invites-you = { $who } lädt Sie ein: { $title }
invited-by = Eingeladen von { $who }
bounced = Ihre Einladung an { $who } konnte nicht zugestellt werden.
devices = Meine Geräte
this-device = Dieses Gerät
signed-in-at = Angemeldet am { $when }

ready-title = Bereit?
preview-off = Ihre Kamera ist aus
you = Sie
camera = Kamera
microphone = Mikrofon
speaker = Lautsprecher
choose-default = Wie im System eingestellt
test-speaker = Testen
camera-denied = Der Browser darf Ihre Kamera nicht benutzen. Erlauben Sie es in der Adresszeile und versuchen Sie es noch einmal. Sie können auch ohne teilnehmen.
camera-missing = Es wurde keine Kamera gefunden. Sie können ohne teilnehmen.
camera-busy = Ein anderes Programm benutzt Ihre Kamera. Sie können ohne teilnehmen.
camera-lost = Ihre Kamera ist nicht mehr da und deshalb aus.
microphone-denied = Der Browser darf Ihr Mikrofon nicht benutzen. Erlauben Sie es in der Adresszeile und versuchen Sie es noch einmal. Sie können ohne teilnehmen und zuhören.
microphone-missing = Es wurde kein Mikrofon gefunden. Sie können teilnehmen und zuhören.
microphone-busy = Ein anderes Programm benutzt Ihr Mikrofon. Sie können teilnehmen und zuhören.
microphone-lost = Ihr Mikrofon ist nicht mehr da, Sie sind stumm.
level = Pegel des Mikrofons
join-now = Jetzt teilnehmen
joining = Einlass wird erbeten …
waiting-title = Ein Gastgeber lässt Sie ein
waiting = Sie sind dabei, sobald jemand Sie einlässt. Noch sieht und hört Sie niemand.
encrypted-before = Was Sie sagen und zeigen, ist von Ihrem Browser bis zu den anderen verschlüsselt. Kein Server hat den Schlüssel.
server-knows = Gehostet von { $hub }. Dieser Server sieht, wer wann teilnimmt, nie, was gesagt wird.
bad-link = Dieser Link geht nicht: { $reason }

encrypted = Ende-zu-Ende-verschlüsselt
encrypted-hybrid = Ende-zu-Ende-verschlüsselt, auch gegen künftige Quantencomputer
encrypted-classical = Ende-zu-Ende-verschlüsselt, aber nicht gegen künftige Quantencomputer
mute = Stummschalten
unmute = Stummschaltung aufheben
camera-off = Kamera ausschalten
camera-on = Kamera einschalten
share = Bildschirm teilen
stop-sharing = Nicht mehr teilen
chat = Chat
people = Personen
people-count = Personen ({ $count })
leave = Verlassen
end-for-all = Für alle beenden
end-for-all-sure = Die Besprechung für alle endgültig beenden?
more = Mehr
muted = Stumm
sharing = { $name } teilt einen Bildschirm
alone = Noch ist niemand sonst da
alone-hint = Geben Sie den Link weiter.
full-screen = Vollbild
say-something = An alle schreiben
send = Senden
no-messages = Was Sie hier schreiben, ist ebenfalls verschlüsselt.
unread =
    { $count ->
        [one] Eine neue Nachricht
       *[other] { $count } neue Nachrichten
    }
waiting-count =
    { $count ->
        [one] Eine Person wartet auf Einlass
       *[other] { $count } Personen warten auf Einlass
    }
says = { $name }: { $text }
verification-code = Prüfcode
verification-hint = Lesen Sie ihn vor. Sehen alle denselben, hört niemand mit.
in-the-room = Im Raum
waiting-outside = Wartet auf Einlass
admit = Einlassen
deny = Abweisen
remove = Entfernen
remove-sure = { $name } entfernen und nicht mehr einlassen?
role-host = Gastgeber
role-co-host = Mitgastgeber
role-guest = Gast
role-participant = Teilnehmer
verified = Bestätigt von { $organisation }
expired = Das Zertifikat von { $organisation } ist inzwischen abgelaufen
lock = Besprechung sperren
unlock = Besprechung entsperren
lobby-on = Warteraum einschalten
lobby-off = Warteraum ausschalten
locked = Gesperrt
hosting = Für Gastgeber
entered = { $name } ist da
gone = { $name } ist gegangen
away = Nicht erreichbar
away-hint = { $name } ist im Moment nicht erreichbar
wants-in = { $name } möchte herein
guest-wants-in = Ein Gast von { $organisation } möchte herein
a-guest-of = Ein Gast von { $organisation }
server-lost = Ihr Server ist nicht erreichbar. Neuer Versuch …
media-lost = Gerade ohne Ton und Bild. Neuer Versuch …
turn-sound-on = Ton der anderen einschalten
media-failed = Ton und Bild konnten hier nicht gestartet werden. Laden Sie die Seite neu.
out-of-step = Sie und { $name } sind nicht auf demselben Stand: Vielleicht enthält ein Server einem von Ihnen etwas vor.
step-lost = Anderer Stand
statistics = Statistik
frames-sealed = Verschlüsselte Bilder und Töne
frames-opened = Entschlüsselte
frames-refused = Abgewiesene

over-left = Sie haben die Besprechung verlassen
over-removed = Ein Gastgeber hat Sie aus der Besprechung entfernt
over-denied = Ein Gastgeber hat Sie abgewiesen
over-ended = Die Besprechung wurde für alle beendet
over-refused = Sie konnten nicht teilnehmen
over-cut-off = Sie sind nicht mehr in der Besprechung
rejoin = Wieder teilnehmen
to-start = Zur Startseite

controls = Steuerung
settings = Einstellungen
shortcuts = Tastenkürzel
shortcuts-hint = M: Mikrofon. V: Kamera. H: Hand. Leertaste gedrückt: sprechen, solange das Mikrofon aus ist.
speaker-view = Wer spricht, groß zeigen
grid-view = Alle gleich groß zeigen
hide-self = Mein Bild ausblenden
show-self = Mein Bild einblenden
leave-full-screen = Vollbild beenden
pin = Groß halten
unpin = Nicht mehr groß halten
pages = Seiten mit Personen
previous-page = Vorige Seite
next-page = Nächste Seite
page-of = { $page } von { $pages }
poor-connection = Die Verbindung ist schlecht
stat-encryption = Verschlüsselung
stat-path = Weg zu Ihrem Server
stat-milliseconds = { $count } ms hin und zurück
stat-sent = Gesendet
stat-rate = { $rate } kbit/s
stat-received = Empfangen
stat-from = Von
stat-kind = Was
stat-picture = Bild
stat-amount = Menge
stat-loss = Verloren
stat-percent = { $part } %
kind-audio = Ton
kind-video = Kamera
kind-screen = Bildschirm
kind-screen_audio = Ton des Bildschirms

schedule = Besprechung planen
schedule-hint = Mit Termin und Einladungen
when = Wann
how-long = Wie lange
minutes =
    { $count ->
        [one] Eine Minute
       *[other] { $count } Minuten
    }
in-the-past = Dieser Zeitpunkt ist vorbei.
calendar-file = Kalenderdatei
invite = Einladen
invite-addresses = Adressen, durch Leerzeichen oder Kommas getrennt
invite-hint = Eingeladene erhalten eine Einladung auf ihrem eigenen Server. Sie können auch einen Link weitergeben, der dorthin führt.
copy-link-for = Link für sie kopieren
not-addresses = Das sind keine Adressen: { $list }
unreachable = Kein Gerät gefunden für: { $list }
planned-but-unreachable = Die Besprechung ist geplant. Kein Gerät gefunden für: { $list }. Senden Sie ihnen den Link.
invited =
    { $count ->
        [one] Eine Person eingeladen
       *[other] { $count } Personen eingeladen
    }
invites-you-now = { $who } lädt Sie zu { $title } ein

raise-hand = Hand heben
lower-hand = Hand senken
hand-of = { $name } hebt die Hand
hand-up = Hand gehoben, Nummer { $place }
hands = Möchten sprechen
react = Reagieren
reaction-thumbs_up = Daumen hoch
reaction-heart = Herz
reaction-applause = Applaus
reaction-laugh = Lachen
reaction-surprise = Staunen
muted-by = { $name } hat Sie stummgeschaltet. Heben Sie das auf, wenn Sie sprechen möchten.
make-co-host = Zum Mitgastgeber machen
no-longer-co-host = Kein Mitgastgeber mehr

hosts-are = Gastgeber: { $hosts }.
organisations-are = Organisationen: { $organisations }.
organisation-unknown = { $organisation } (ließ sich nicht nachschlagen)
has-lobby = Ein Gastgeber lässt Sie ein.
is-locked = Die Besprechung ist gesperrt: Nur die Gastgeber kommen hinein.
is-over = Diese Besprechung wurde endgültig beendet.
being-written = Wird gerade geschrieben
writes = { $name } schreibt
letter-by-letter = Jeden Buchstaben zeigen, während ich schreibe
sound-only = Nur Ton
with-pictures = Wieder mit Bild
refused-at-door = Jemand von { $domain } wurde an der Tür abgewiesen (Versuche: { $times })
product = { -product }
