-product = Conclave

starting = Démarrage …
loading-failed = { -product } n’a pas pu démarrer : { $reason }
wrong-clock = L’horloge de votre appareil indique { $here }, celle de votre serveur { $there }. Réglez votre horloge, puis réessayez.
cannot-store = Ce navigateur n’enregistre plus rien : le disque est plein, ou il l’interdit. Libérez de la place ou quittez la navigation privée, puis réessayez.
try-again = Réessayer
other-tab = Cet appareil est utilisé dans un autre onglet. Fermez-le, puis continuez ici.
unsupported-title = Ce navigateur ne peut pas chiffrer les appels
unsupported = Il lui manque ce que demande le chiffrement de bout en bout (RTCRtpScriptTransform) : il ne peut pas participer. Les versions actuelles de Chrome, Edge, Firefox et Safari le peuvent.
dismiss = Ignorer
close = Fermer
back = Retour
cancel = Annuler

sign-in-title = Connexion
user-name = Nom d’utilisateur
password = Mot de passe
sign-in = Se connecter
signing-in = Connexion …
guest-title = Venir en invité
guest-name = Votre nom, tel que les autres le verront
guest-hint = Vous serez marqué comme invité de { $domain }, si la réunion admet des invités.
guest-come = Continuer en invité
have-account = J’ai un compte ici
elsewhere = Mon compte est sur un autre serveur
elsewhere-address = Votre adresse là-bas
elsewhere-hint = Vous serez dirigé vers votre propre serveur avec ce lien. Le serveur que vous voyez a été contacté une fois.
elsewhere-go = Aller à mon serveur
elsewhere-malformed = Une adresse ressemble à alice@north.example.
problem-malformed = Le serveur n’a pas compris. Rechargez la page.
problem-too-large = C’est plus que le serveur n’accepte.
problem-rate-limited = Trop de tentatives. Attendez un instant, puis réessayez.
problem-not-signed-in = Votre session est terminée. Connectez-vous à nouveau.
problem-bad-credentials = Le nom d’utilisateur ou le mot de passe est incorrect.
problem-not-found = Introuvable, ou vous n’avez pas le droit de le savoir.
problem-not-entitled = Les règles de cette réunion ne vous le permettent pas.
problem-bad-signature = Une signature n’est pas valable : c’est refusé.
problem-bad-certificate = Un certificat n’est pas valable : c’est refusé.
problem-wrong-domain = Un serveur a parlé au nom d’une organisation qui n’est pas la sienne.
problem-pin-mismatch = Le serveur de l’autre organisation montre une autre clé qu’avant. Son administrateur doit s’en occuper.
problem-peer-not-allowed = Les serveurs des deux organisations ne se parlent pas. Demandez à votre administrateur.
problem-expired = Le délai est passé. Réessayez ; si cela n’aide pas, vérifiez votre horloge.
problem-replayed = C’est déjà fait.
problem-no-admission = Rien ne vous ouvre cette réunion : il faut une invitation, ou le lien entier tel qu’il est maintenant.
problem-banned = Vous avez été exclu de cette réunion et ne pouvez pas revenir.
problem-locked = La réunion est verrouillée : plus personne n’y entre.
problem-ended = Cette réunion est définitivement terminée.
problem-waiting = Un hôte doit d’abord vous laisser entrer.
problem-denied = Un hôte vous a refusé l’entrée.
problem-forbidden-commit = Ce changement enfreint les règles de la réunion.
problem-wrong-epoch = Quelqu’un a été plus rapide. Réessayez.
problem-log-broken = L’historique de la réunion ne concorde pas : votre appareil ne le suit plus.
problem-incompatible = Les deux côtés n’ont aucune version commune du protocole. Rechargez la page.
problem-full = Il n’y a plus de place. Réessayez plus tard.
problem-unavailable = Le serveur est injoignable. Vérifiez votre connexion et réessayez.
problem-bug = Quelque chose n’a pas marché ici. Rechargez la page.
problem-barred = Votre appareil ne peut plus rien changer dans cette session.
problem-not-in-meeting = Vous n’êtes pas dans cette réunion.
problem-already-in-meeting = Vous êtes déjà dans cette réunion.
problem-nobody-there = Personne avec cette adresse n’est dans la salle.
problem-no-link = Cet appareil ne connaît pas le lien de la réunion.
problem-too-long = Ce texte est trop long : { $most } caractères au plus.
problem-home-server = Votre serveur a envoyé quelque chose qui ne peut pas être juste ; votre appareil l’a refusé.
problem-undecodable = Un serveur a envoyé quelque chose que votre appareil ne comprend pas.
problem-bad-address = Ce n’est pas une adresse comme nom@organisation.example.
problem-bad-name = Un nom compte 1 à 64 caractères, tous visibles.
problem-unknown-domain = Votre appareil ne peut pas savoir qui est { $domain }.
problem-root-changed = { $domain } montre une autre clé qu’avant. Ne lui faites pas confiance avant que son administrateur ne vous ait dit pourquoi.
problem-descriptor-contradicts = Le serveur de { $domain } contredit ce qu’il a dit auparavant.
problem-wrong-clock = Selon votre horloge, ce que { $domain } a signé n’est pas valable maintenant. Réglez la date et l’heure de votre appareil, puis réessayez.
problem-link-form = Il devrait ressembler à https://serveur/m/réunion@organisation#secret.
problem-link-id-length = La partie avant le @ compte { $found } caractères au lieu de 52. Le lien a-t-il été copié en entier ?
problem-link-id-characters = La partie avant le @ contient un caractère qui n’y a pas sa place. Copiez de nouveau le lien.
problem-link-hub = La partie après le @ n’est pas le nom d’un serveur. Copiez de nouveau le lien.
problem-link-server = Il ne commence pas par le nom d’un serveur. Copiez de nouveau le lien.
problem-link-secret-length = La partie après le # compte { $found } caractères au lieu de 43. Le lien a-t-il été copié en entier ?
problem-link-secret-characters = La partie après le # contient un caractère qui n’y a pas sa place. Copiez de nouveau le lien.
problem-change-refused = { $address } a fait un changement qui enfreint les règles. Votre appareil ne l’a pas suivi.
problem-others-went-on = Les autres ont suivi un changement que votre appareil a refusé.

greeting = Bonjour, { $name }
meet-now = Réunion immédiate
meet-now-hint = Une nouvelle salle avec un lien à partager
new-title = De quoi s’agit-il ? (facultatif)
with-lobby = Faire attendre les arrivants jusqu’à ce que je les admette
with-guests = Sans compte, on peut venir par le lien
join-title = Participer avec un lien
join-placeholder = Collez un lien ou une adresse
join = Participer
my-meetings = Mes réunions
no-meetings = Pas encore de réunion. Commencez-en une, elle apparaîtra ici.
untitled = Réunion sans titre
present =
    { $count ->
        [0] Personne
        [one] Une personne présente
       *[other] { $count } personnes présentes
    }
ended = Terminée
copy-link = Copier le lien
no-link = Cet appareil ne connaît aucun lien qui laisse entrer. Invitez par l’adresse.
copied = Lien copié
copy-by-hand = Le navigateur n’a pas permis la copie. Copiez le lien ici :
sign-out = Se déconnecter
sign-out-everywhere = Se déconnecter partout
invites-you = { $who } vous invite : { $title }
invited-by = Invitation de { $who }
bounced = Votre invitation à { $who } n’a pas pu être remise.
devices = Mes appareils
this-device = Cet appareil
signed-in-at = Connecté le { $when }

ready-title = Prêt à participer ?
preview-off = Votre caméra est coupée
you = Vous
camera = Caméra
microphone = Microphone
speaker = Haut-parleur
choose-default = Réglage du système
test-speaker = Tester
camera-denied = Le navigateur ne peut pas utiliser votre caméra. Autorisez-la dans la barre d’adresse, puis réessayez. Vous pouvez participer sans elle.
camera-missing = Aucune caméra trouvée. Vous pouvez participer sans elle.
camera-busy = Un autre programme utilise votre caméra. Vous pouvez participer sans elle.
camera-lost = Votre caméra n’est plus là : elle est coupée.
microphone-denied = Le navigateur ne peut pas utiliser votre microphone. Autorisez-le dans la barre d’adresse, puis réessayez. Vous pouvez participer et écouter.
microphone-missing = Aucun microphone trouvé. Vous pouvez participer et écouter.
microphone-busy = Un autre programme utilise votre microphone. Vous pouvez participer et écouter.
microphone-lost = Votre micro n’est plus là : il est coupé.
level = Niveau du microphone
join-now = Participer
joining = Demande d’entrée …
waiting-title = Un hôte va vous faire entrer
waiting = Vous entrerez dès que quelqu’un vous admet. Personne ne vous voit ni ne vous entend encore.
encrypted-before = Ce que vous dites et montrez est chiffré de votre navigateur au leur. Aucun serveur n’a la clé.
server-knows = Hébergé par { $hub }. Ce serveur voit qui participe et quand, jamais ce qui se dit.
bad-link = Ce lien ne fonctionne pas : { $reason }

encrypted = Chiffré de bout en bout
encrypted-hybrid = Chiffré de bout en bout, même contre de futurs ordinateurs quantiques
encrypted-classical = Chiffré de bout en bout, mais pas contre de futurs ordinateurs quantiques
mute = Couper le micro
unmute = Activer le micro
camera-off = Couper la caméra
camera-on = Activer la caméra
share = Partager l’écran
stop-sharing = Arrêter le partage
chat = Discussion
people = Personnes
people-count = Personnes ({ $count })
leave = Quitter
end-for-all = Terminer pour tous
end-for-all-sure = Terminer la réunion pour tous, définitivement ?
more = Plus
muted = Micro coupé
sharing = { $name } partage un écran
alone = Personne d’autre n’est encore là
alone-hint = Envoyez le lien.
full-screen = Plein écran
say-something = Écrire à tous
send = Envoyer
no-messages = Ce que vous écrivez ici est chiffré aussi.
unread =
    { $count ->
        [one] Un nouveau message
       *[other] { $count } nouveaux messages
    }
waiting-count =
    { $count ->
        [one] Une personne attend qu’on la laisse entrer
       *[other] { $count } personnes attendent qu’on les laisse entrer
    }
says = { $name } : { $text }
verification-code = Code de vérification
verification-hint = Lisez-le à voix haute. Si tous voient le même, personne n’écoute.
in-the-room = Dans la salle
waiting-outside = En attente
admit = Admettre
deny = Refuser
remove = Exclure
remove-sure = Exclure { $name } et ne plus l’admettre ?
role-host = Hôte
role-co-host = Co-hôte
role-guest = Invité
role-participant = Participant
verified = Certifié par { $organisation }
expired = Le certificat de { $organisation } a expiré depuis
lock = Verrouiller la réunion
unlock = Déverrouiller la réunion
lobby-on = Activer la salle d’attente
lobby-off = Désactiver la salle d’attente
locked = Verrouillée
hosting = Pour les hôtes
entered = { $name } est là
gone = { $name } a quitté la réunion
away = Injoignable
away-hint = { $name } est injoignable pour le moment
wants-in = { $name } veut entrer
guest-wants-in = Un invité de { $organisation } voudrait entrer
a-guest-of = Un invité de { $organisation }
server-lost = Votre serveur est injoignable. Nouvelle tentative …
media-lost = Ni son ni image pour l’instant. Nouvelle tentative …
turn-sound-on = Activer le son
media-failed = Le son et l’image n’ont pas pu démarrer ici. Rechargez la page.
out-of-step = Vous et { $name } n’êtes pas au même point : un serveur cache peut-être quelque chose à l’un de vous.
step-lost = Pas au même point
statistics = Statistiques
frames-sealed = Trames chiffrées
frames-opened = Trames déchiffrées
frames-refused = Trames refusées

over-left = Vous avez quitté la réunion
over-removed = Un hôte vous a exclu de la réunion
over-denied = Un hôte vous a refusé l’entrée
over-ended = La réunion a été terminée pour tous
over-refused = Vous n’avez pas pu entrer
over-cut-off = Vous n’êtes plus dans la réunion
rejoin = Participer de nouveau
to-start = Page d’accueil

controls = Commandes
settings = Réglages
shortcuts = Raccourcis clavier
shortcuts-hint = M : micro. V : caméra. H : main. Espace maintenu : parler quand le micro est coupé.
speaker-view = Agrandir qui parle
grid-view = Afficher tout le monde à la même taille
hide-self = Masquer mon image
show-self = Afficher mon image
leave-full-screen = Quitter le plein écran
pin = Garder en grand
unpin = Ne plus garder en grand
pages = Pages de personnes
previous-page = Page précédente
next-page = Page suivante
page-of = { $page } sur { $pages }
poor-connection = La connexion est mauvaise
stat-encryption = Chiffrement
stat-path = Trajet vers votre serveur
stat-milliseconds = { $count } ms aller-retour
stat-sent = Envoyé
stat-rate = { $rate } kbit/s
stat-received = Reçu
stat-from = De
stat-kind = Quoi
stat-picture = Image
stat-amount = Débit
stat-loss = Perdu
stat-percent = { $part } %
kind-audio = Son
kind-video = Caméra
kind-screen = Écran
kind-screen_audio = Son de l’écran

schedule = Planifier une réunion
schedule-hint = Avec une heure et des personnes à inviter
when = Quand
how-long = Durée
minutes =
    { $count ->
        [one] Une minute
       *[other] { $count } minutes
    }
in-the-past = Cette heure est passée.
calendar-file = Fichier d’agenda
invite = Inviter
invite-addresses = Adresses, séparées par des espaces ou des virgules
invite-hint = L’invitation arrive sur leur propre serveur ; vous pouvez aussi transmettre un lien qui y mène.
copy-link-for = Copier un lien pour cette personne
not-addresses = Ce ne sont pas des adresses : { $list }
unreachable = Aucun appareil trouvé pour : { $list }
planned-but-unreachable = La réunion est prévue. Aucun appareil trouvé pour : { $list }. Envoyez-leur le lien.
invited =
    { $count ->
        [one] Une personne invitée
       *[other] { $count } personnes invitées
    }
invites-you-now = { $who } vous invite à { $title }

raise-hand = Lever la main
lower-hand = Baisser la main
hand-of = { $name } lève la main
hand-up = Main levée, numéro { $place }
hands = Demandent la parole
react = Réagir
reaction-thumbs_up = Pouce levé
reaction-heart = Cœur
reaction-applause = Applaudissements
reaction-laugh = Rire
reaction-surprise = Surprise
muted-by = { $name } a coupé votre micro. Rallumez-le pour parler.
make-co-host = Nommer co-hôte
no-longer-co-host = N’est plus co-hôte

hosts-are = Hôtes : { $hosts }.
organisations-are = Organisations : { $organisations }.
organisation-unknown = { $organisation } (introuvable pour l’instant)
has-lobby = Un hôte vous fera entrer.
is-locked = La réunion est verrouillée : seuls ses hôtes peuvent entrer.
is-over = Cette réunion est terminée pour de bon.
being-written = En cours de rédaction
writes = { $name } écrit
letter-by-letter = Montrer chaque lettre pendant que j’écris
sound-only = Son seulement
with-pictures = De nouveau avec image
refused-at-door = Quelqu’un de { $domain } a été refusé à l’entrée (tentatives : { $times })
product = { -product }
