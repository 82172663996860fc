"""The words of headings, as contact exports write them in six languages.

Words are in lower case and without accents. A compound with "fax" is split before it is looked up, so that
"Geschäftsfaxnummer" is the words "geschafts", "fax", "nummer".
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: words that mean a fax; other words with "fax" in them are split
FAX = _words("fax facsimile telecopie telecopieur telecopy telecopier telekopie fernkopie fernkopierer telfx")
#: places whose names contain "fax"
NOT_FAX = _words("halifax fairfax colfax")
PHONE = _words(
    "phone telephone telephones tel telefon telefono telefoon telefoonnummer telefonnummer telephonenumber phonenumber"
    " mobile mobil mobiltelefon movil cell cellphone handy handynummer cellulare portable gsm celular voice pager isdn"
)
#: channels that a heading about opting out may be limited to, none of them fax
OTHER_CHANNELS = PHONE | _words(
    "email e mail mails emails sms text texts call calls calling anruf anrufe appel appels llamada llamadas chiamate"
    " bellen post postal letter letters brief newsletter whatsapp courriel correo courrier posta messages"
)

#: the address that a column belongs to, by the words of its heading
ADDRESSES = {
    word: group
    for group, words in {
        "work": "business work office company firm corporate geschaftlich geschaeftlich geschafts geschaefts geschaft"
        " dienstlich dienst firma firmen buro buero arbeit bureau professionnel professionnelle travail societe"
        " entreprise pro trabajo oficina empresa laboral negocios ufficio uff lavoro azienda aziendale werk zakelijk"
        " zaak kantoor bedrijf",
        "home": "home private personal privat private zuhause domicile personnel personnelle prive privee particular"
        " casa residencia domicilio abitazione ab privato personale thuis huis huisadres",
        "other": "other another weiteres weitere weiterer sonstige sonstiges anderes andere autre autres otro otra"
        " altro altra ander anders overig overige alternate alternative secondary second",
        "mailing": "mailing po correspondence correspondance correspondencia corrispondenza postanschrift postadresse",
        "shipping": "shipping ship delivery liefer lieferung lieferadresse lieferanschrift livraison envio entrega"
        " spedizione consegna verzending levering bezorging",
        "billing": "billing bill invoice rechnung rechnungs rechnungsadresse facturation facturacion fatturazione"
        " factuur facturatie",
        "practice": "practice location",
        "account": "account",
        "assistant": "assistant assistent assistente asistente",
        "ip": "ip",
        "vat": "vat eu ust ustid tva iva btw",
    }.items()
    for word in words.split()
}
#: words between a number and the address that it counts: "Address 2: Country/Region"
ADDRESS_WORDS = _words("address addr adresse anschrift direccion indirizzo adres")

COUNTRY = _words(
    "country countries nation land lander laender landes staat pays pais paese nazione natie ctry cntry lkz"
    " landerkennzeichen laenderkennzeichen landercode laendercode landescode landerkurzel laenderkuerzel landerkennung"
    " landerschlussel landesschlussel landcode landnaam countrycode countryname countryiso isocountry isocode iso"
)
#: words that name a country together with another word
REGION = _words("region regio regione regions")
#: words of a part of a country
STATE = _words(
    "state states province provincia provincie provinz bundesland kanton canton dep departement departamento etat"
    " estado stati county prefecture"
)
#: words that change nothing in a heading about a country
COUNTRY_FILLERS = _words(
    "code codes name iso alpha abbreviation abbr short full the a of or o ou oder of de du des der la le del della di"
    " van y e und and et en area geografica code codigo codice kennzeichen schlussel provider contact customer kunde"
    " kunden client cliente klant recipient empfanger mail if outside u s us is id text value number phone fax"
    " telephonique telefonico telefonica telefonisch telefonische"
)
#: words after which the country's calling code follows
DIALLING = _words(
    "dial dialing dialling calling isd landesvorwahl landervorwahl laendervorwahl landeskennzahl landerkennzahl idd"
    " auslandsvorwahl landnummer indicatif kengetalland landkengetal"
)
INTERNATIONAL = COUNTRY | _words(
    "int intl internat international internazionale internacional internationale internationaal internationales"
    " ausland auslands foreign overseas etranger estero extranjero exterior buitenland"
)

#: single words for an area code
AREA_CODE = _words(
    "areacode vorwahl vorwahlnummer ortsvorwahl ortskennzahl ortsnetzkennzahl prefisso prefijo netnummer kengetal"
    " prefixe lada npa onkz"
)
#: words that mean an area code together with a word for "code"
AREA = _words("area zona zone city regional regionale trunk std local locale ciudad citta")
POSTAL = _words("postal zip post plz cap")
#: words of headings whose values may begin with the country of a postal code: "D-10115 Berlin"
POSTAL_CODES = POSTAL | _words(
    "postcode postalcode zipcode postleitzahl cp npa city ort town ville ciudad citta plaats localidad localita wohnort"
    " stadt"
)
#: words of headings of tax numbers
TAX = _words("vat ust ustid ustidnr tva iva btw uid mwst umsatzsteuer partita")
CODE = _words("code codigo codice clave prefix prefixe prefijo prefisso indicatif")

#: words that make a heading with "fax" one about something else than the number
NOT_A_NUMBER = _words(
    "date datum data fecha time status type typ tipo label notes note name header cover page pages count sent received"
    " last next error result message cost template domain email preferred preference preferences language subject"
    " attention attn password passwort url link log verified valid confirmed count anzahl resolution format"
    " server user username login pin tsid csid serial gerat machine device"
)
#: words that do so behind "fax": "Fax Provider" is a company, and "Provider Fax" its number
ABOUT_FAX = _words(
    "id ids account konto cuenta compte provider anbieter vendor carrier model modell modele modelo gateway contract"
    " vertrag vertragsnummer vertragsnr invoice order bestellung kundennummer code key reference referenz ref queue job"
    " batch attempt attempts station ata created modified updated option options enabled active"
)
#: words that make a fax number one that is perhaps not to be dialled: a former one, a wrong one, that of the sender
DOUBTFUL = _words(
    "old former formerly previous prior past obsolete inactive"
    " disconnected invalid wrong bad incorrect test testing unused"
    " deprecated retired outdated historic alte altes alten"
    " ehemalig ehemalige ehemaliges ehemals fruhere fruheres fruher"
    " vorherige vorheriges bisherige bisherig ungultig ungultige"
    " falsch falsche inaktiv inaktive ancien ancienne anciens"
    " precedent precedente invalide errone antiguo antigua anterior viejo vieja invalido invalida erroneo equivocado"
    " vecchio vecchia sbagliato errato oud oude vorig vorige ongeldig ongeldige"
    " sender our own from return absender unser unsere"
    " eigene eigenes expediteur notre remitente nuestro mittente nostro"
    " afzender onze"
)
#: the German word for "old" behind "fax"; before it, it is the English abbreviation of "alternate"
OLD_BEHIND_FAX = "alt"
EXTENSION = _words("extension ext extn dw durchwahl poste anexo interno toestel nebenstelle")
#: words after which a heading only says what its numbers contain: "Fax (with area code)"
INCLUDING = _words("with incl including inkl inklusive mit avec con met")

#: headings of columns that have telephone or fax numbers: "Tel/Fax", "Phone or Fax"
PHONE_OR_FAX = [{word, "fax"} for word in ("tel", "phone", "telephone", "telefon", "telefono", "telefoon")]
JOINTS = _words("or and oder und ou et o y e en of")

#: negations that are no abbreviation of "number"
SURE_NEGATIONS = _words(
    "not non nicht kein keine keinen ne pas aucun niet niente geen donot dont never sin senza nie sans ohne without"
)
NEGATIONS = (SURE_NEGATIONS | {"no"}) - {"ohne", "without"}
CONTACTING = _words(
    "contact contacted contacter contatto contactar contattare kontakt kontaktieren contacteren disturb solicit"
    " marketing werbung anschreiben"
)
#: words about opting out, whatever else the heading says
OPT_OUT = _words(
    "optout optedout optsout unsubscribe unsubscribed abgemeldet abmeldung widerspruch widersprochen desabonne"
    " desinscrit desinscription opposition baja disiscritto disiscrizione uitgeschreven uitschrijven afgemeld afmelding"
    " suppressed suppression faxsperre werbesperre werbewiderspruch kontaktsperre robinson robinsonliste robinsonlist"
    " robinsoneintrag donotfax nofax donotcontact keinfax"
    " dnf blocked blacklist blacklisted blocklist gesperrt sperrvermerk sperre sperrkennzeichen mailingsperre"
    " werbeverbot kontaktverbot suppress deceased death verstorben"
    " gestorben todesdatum sterbedatum todestag decede decedee deces"
    " defunt fallecido fallecida fallecimiento difunto deceduto deceduta decesso defunto overleden overlijden"
    " overlijdensdatum"
)
#: words about opting out in a heading that speaks of fax or of contacting
FORBIDDEN = _words(
    "forbidden prohibited banned stop stopped exclude excluded exclusion remove removed removal deny denied decline"
    " declined refused verboten verbot untersagt unerwunscht ungewunscht ausgeschlossen ausschluss abgelehnt interdit"
    " interdits interdite refuse refus exclu exclure prohibido prohibidos prohibida excluir excluido rechazado vietato"
    " vietati proibito escludere escludi escluso rifiutato verboden geweigerd uitgesloten ongewenst refuses"
    " bloque bloqueado bloccato geblokkeerd"
)
#: words that say so together with nothing but fillers: "Removed On", "Remove from list"
TAKEN_OFF = _words("remove removed removal exclude excluded exclusion")
TAKEN_OFF_FILLERS = _words("on at from the list date time by reason")
#: abbreviations that may mean a fax or only a call: "do not contact", "do not call"
UNCLEAR = _words("dnc")
#: words about consent, whatever else the heading says
CONSENT = _words(
    "consent consents consented optin optedin einwilligung eingewilligt zustimmung zugestimmt einverstandnis"
    " einverstanden einverstaendnis werbeeinwilligung werbeerlaubnis consentement"
    " consentimiento consenso toestemming gdpr dsgvo rgpd"
)
#: words about consent in a heading that speaks of fax or of contacting
ALLOWED = _words(
    "allowed allow allows permission permissions permitted permit authorized authorised authorization agreed accept"
    " accepts accepted ok okay erlaubt erlaubnis genehmigt zulassig autorise autorisation accepte permis autorizado"
    " autorizacion permitido permiso acepta autorizzato autorizzazione permesso consentito accetta toegestaan akkoord"
    " wanted wants wish wishes desired gewunscht erwunscht wunscht mochte souhaite souhaitee veut desea deseado quiere"
    " desidera desiderato vuole gewenst wenst wil accord autoriza darf"
)
PREFERENCES = _words("preference preferences prefers praferenz voorkeur preferencia preferenza")
#: fillers of a heading such as "Do not send faxes to"
PERMISSION_FILLERS = _words(
    "do does please allow allowed send sending sent to by per via a an any the receive use envoyer enviar inviare"
    " sturen senden per faire des de le be want wants wish wishes longer more mehr plus mas piu meer mochte wunscht"
    " will wil wenst souhaite veut recevoir desea quiere recibir mandar vuole desidera ricevere ontvangen erhalten"
)
#: words that make a heading about opting out one about its circumstances
CIRCUMSTANCES = _words(
    "date datum fecha data time source quelle reason grund motif motivo reden by type version text method updated"
    " timestamp zeitpunkt note notes comment basis"
)

#: headings without "fax" that may name the column of the number, written as one word
NUMBERS = _words(
    "number recipient recipientnumber to destination destinationnumber phonenumber phone phoneno telephone"
    " telephonenumber telefon telefonnummer tel e164 msisdn telefono telefoon telefoonnummer numerodetelephone"
    " numerodetelefono nummer"
)
#: headings that may name the country and have no meaning beside it, written as one word
REFERENCES = (
    *("reference", "referenceid", "ref", "externalid", "extid", "customerid", "customernumber", "customerno"),
    *("customerref", "customer", "clientid", "accountid", "kundennummer", "kundennr", "kundenid", "recipientid"),
    *("recordid", "contactid", "npi", "id"),
)

#: texts that say that somebody opted out, and texts that say the opposite, in any column about it
OPTED_OUT_TEXTS = _words(
    "optout optedout donotfax donotcontact donotallow nofax notallowed unsubscribed denied refused withdrawn"
    " keinfax nichtfaxen nichterlaubt abgemeldet widersprochen abgelehnt"
    " nepasfaxer pasdefax desinscrit desabonne refuse nonautorise"
    " nofaxear noenviarfax baja rechazado nopermitido"
    " nonfaxare noninviarefax disiscritto rifiutato nonconsentito"
    " nietfaxen geenfax afgemeld uitgeschreven geweigerd niettoegestaan stop donotsend"
    " nichtzulassen nichtsenden nepasautoriser nepasenvoyer nopermitir noenviar nonconsentire noninviare niettoestaan"
    " nietversturen nietverzenden"
)
ALLOWED_TEXTS = _words(
    "optin optedin allow allowed faxallowed faxok ok okay consent consented granted permitted subscribed"
    " erlaubt eingewilligt zugestimmt angemeldet autorise accepte accorde inscrit permitido aceptado autorizado"
    " consentito autorizzato accettato toegestaan akkoord aangemeld"
    " zulassen autoriser permitir consenti consentire toestaan"
)
TRUE_TEXTS = _words("1 x y yes true t on checked ja j wahr oui vrai si s verdadero vero waar")
FALSE_TEXTS = _words("0 n no false f off unchecked nein falsch non faux falso nee onwaar")
#: texts that say that somebody did not opt out, and nothing about consent
NOT_OUT_TEXTS = _words(
    "active aktiv activo activa attivo attiva actief actif active subscribed abonniert inscrit alive living lebend"
)

#: words of a heading whose values may be countries, whatever they look like
COUNTRY_HINTS = _words(
    "prefix prefixes prefixe prafix praefix pref cc ccode market markt marche mercado mercato territory territorio"
    " locale gebiet location standort geo subsidiary origin herkunft"
)
#: words of headings whose values are no countries though they look like one: states, persons, languages, quantities
STATES = _words("st prov kt bl stateprovince region regio regione")
PERSONS = _words(
    "first last middle given family surname forename nickname vorname nachname rufname prenom nombre apellido apellidos"
    " cognome voornaam achternaam contact ansprechpartner kontakt contacto contatto title titel titre titolo titulo"
    " salutation anrede civilite suffix company firma name organization organisation societe empresa azienda bedrijf"
    " business practice praxis street strasse address adresse city ort town"
)
LANGUAGES = _words("language languages lang sprache langue idioma lingua taal korrespondenzsprache")
QUANTITIES = _words(
    "age alter edad eta leeftijd qty quantity menge anzahl aantal cantidad quantite copies kopien pages seiten count"
    " total sum summe amount betrag price preis prix precio prezzo prijs room raum zimmer floor etage priority"
    " prioritat score rank rang points punkte year jahr month"
    " monat day tag week woche weight gewicht size grosse employees"
    " mitarbeiter number nummer nr no id index row zeile line position pos seq percent"
)
HONORIFICS = _words("mr ms mrs dr sr jr me mme hr fr md")
#: words of headings whose values may say, in any row, that somebody opted out
STATUS = _words(
    "status flag flags note notes notiz notizen remark remarks bemerkung bemerkungen comment comments kommentar hinweis"
    " anmerkung observaciones observations remarque remarques opmerking opmerkingen nota notas annotazioni"
    " tag tags label labels category categories kategorie kategorien categorie categoria group groups gruppe segment"
    " lifecycle stage subscription statut estado stato lists list liste lista"
)
#: words of values that say that somebody opted out or is dead
OUT_WORDS = OPT_OUT - _words(
    "robinson baja opposition opposizione sperre suppress suppression suppressed death deces decesso fallecimiento"
    " overlijden todesdatum sterbedatum todestag overlijdensdatum sperrkennzeichen defunto difunto abmeldung afmelding"
) | _words("dnc died")
#: other texts that say so
OUT_TEXTS = _words(
    "plusdefax dadodebaja dadadebaja requestedremoval removalrequested ceaseanddesist dead passedaway donotsend"
    " removeme"
)
#: words that say so of somebody who is on a list: "take off list"
REMOVED = _words("remove removed removal take taken off")
#: texts that say that nobody has this number any more, or that it is no fax number
WRONG_NUMBER_TEXTS = _words(
    "wrongnumber disconnected numberdisconnected notinservice outofservice invalidnumber invalidfax faxinvalid notafax"
    " revoked consentrevoked falschenummer nichtvergeben keinanschluss widerrufen mauvaisnumero numeroerrone"
    " nonattribue numeroequivocado numerosbagliato verkeerdnummer revoque revocado revocato ingetrokken"
)
#: headings of flags that say who gets something, if their values say only yes and no
SENDING = _words(
    "send sends sending senden versand versenden mailing mailings werbung marketing"
    " contact kontakt permission erlaubnis"
    " receive receives erhalten envoyer envoi enviar envio inviare invio verzenden versturen subscribe subscribed"
    " abonniert abonne suscrito iscritto fax ok allowed notify include included exclude excluded exclusion remove"
    " removed skip omit stop ausschliessen ausgeschlossen inclure exclure incluir excluir includere escludere"
)
#: words of headings of preferences: "Preferred contact method"
PREFERRED = _words("preferred preferredmethod prefers bevorzugt bevorzugte prefere preferido preferito voorkeur method")
#: what the kind of a number is called if it is no fax number
TELEPHONES = _words(
    "phone telephone tel telefon telefono telefoon mobile mobil mobiltelefon movil cell cellphone"
    " handy gsm voice landline"
    " festnetz fixe portable cellulare celular homephone workphone businessphone mobilephone officephone pager"
    " telefonnummer phonenumber telefonfestnetz mobilfunk"
)
#: words of headings whose values say what kind of number it is
KINDS = _words("type typ tipo soort kind art label labels line channel kanal device category kategorie")
