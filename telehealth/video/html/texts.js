// What the page says, in Spanish and in English.
"use strict";

const TEXTS = {
  es: {
    title: "Consulta a distancia", other: "English", you: "Usted", self: "Su propia imagen",
    "check.title": "Antes de entrar", "check.lead": "Revise su cámara y su micrófono.",
    "check.level": "Su voz:", camera: "Cámara", microphone: "Micrófono",
    "sound-only": "Entrar sólo con audio", join: "Entrar a la consulta",
    private: "La consulta no se graba. Audio y video viajan cifrados entre los participantes.",
    "check.denied": "El navegador no permite usar la cámara o el micrófono. Permítalo en la barra de direcciones y vuelva a cargar la página, o entre sin ellos.",
    "check.none": "No se encontró cámara ni micrófono. Puede entrar: verá y oirá a los demás, y puede escribir.",
    "check.nocamera": "No se encontró cámara: entrará sólo con audio.",
    "wait.title": "Sala de espera", "wait.lead": "Ya avisamos que usted está aquí. Le dejarán entrar en cuanto puedan; no cierre esta página.",
    "call.title": "En consulta", place: "El paciente está en: {place}.", emergency: "En una emergencia: {who}.",
    door: "En la sala de espera", admit: "Dejar entrar", refuse: "No dejar entrar",
    mute: "Silenciar mi micrófono", unmute: "Activar mi micrófono", picture: "Mi cámara está encendida", nopicture: "Mi cámara está apagada",
    leave: "Salir", end: "Terminar la consulta para todos", "end.sure": "¿Terminar la consulta para todos?",
    chat: "Mensajes escritos", "chat.label": "Su mensaje", "chat.send": "Enviar", "chat.unsaid": "El mensaje no pudo guardarse y no se envió. Intente de nuevo.",
    quality: "Calidad de la conexión", "q.who": "De quién", "q.received": "Recibido (kbit/s)", "q.loss": "Pérdida", "q.delay": "Retraso (ms)", "q.relayed": "Vía",
    direct: "directa", relayed: "por servidor TURN",
    joined: "{name} entró.", left: "{name} se desconectó.", alone: "Aún no hay nadie más.", waits: "{name} está en la sala de espera.",
    "audio-only": "{name} sólo tiene audio.",
    reconnecting: "Se perdió la conexión con el servidor. Reconectando…", reconnected: "Conexión recuperada.",
    weak: "La conexión es débil: se apagó su cámara para que el audio siga. Puede encenderla de nuevo.",
    failed: "No se logra la conexión de audio y video con {name}. Su red puede impedirlo. Intente de nuevo, siga sólo con audio, o pida otra cita o una llamada.",
    again: "Intentar de nuevo", "to-sound": "Seguir sólo con audio",
    "over.ended": "La consulta terminó", "over.ended.text": "Ya puede cerrar esta página.",
    "over.left": "Salió de la consulta", "over.left.text": "Puede volver mientras la consulta siga abierta.", back: "Volver a entrar",
    "over.refused": "No se le dejó entrar", "over.refused.text": "Si cree que es un error, comuníquese con la unidad médica.",
    "over.moved": "La consulta sigue en otra ventana", "over.moved.text": "Entró con este mismo lugar desde otra ventana o dispositivo.",
    "over.token": "Este enlace ya no sirve", "over.token.text": "Cada enlace sirve una sola vez. Pida uno nuevo donde obtuvo este.",
    "over.time": "No es hora de la consulta", "over.time.text": "Vuelva poco antes de la hora de su cita, con el mismo enlace.",
    "over.full": "La sala está llena", "over.full.text": "Espere a que alguien salga e intente de nuevo.",
    "over.wrong": "Algo falló", "over.wrong.text": "Vuelva a cargar la página. Si no basta, pida un enlace nuevo.",
    "elsewhere.lead": "El audio y el video pasan por el servidor de videollamadas de su institución, en otra ventana. Deje ésta abierta.", "elsewhere.open": "Abrir la videollamada",
    "elsewhere.app": "El audio y el video pasan por el servidor de videollamadas de su institución: ábralos en su aplicación. Deje esta página abierta.",
    role: { clinician: "personal de salud", patient: "paciente", family: "acompañante", interpreter: "intérprete" },
  },
  en: {
    title: "Visit at a distance", other: "Español", you: "You", self: "Your own picture",
    "check.title": "Before you enter", "check.lead": "Check your camera and your microphone.",
    "check.level": "Your voice:", camera: "Camera", microphone: "Microphone",
    "sound-only": "Enter with sound only", join: "Enter the visit",
    private: "The visit is not recorded. Sound and picture travel encrypted between those who take part.",
    "check.denied": "The browser does not allow the use of camera or microphone. Allow it in the address bar and load the page again, or enter without them.",
    "check.none": "No camera and no microphone were found. You can enter: you see and hear the others, and can write.",
    "check.nocamera": "No camera was found: you will enter with sound only.",
    "wait.title": "Waiting room", "wait.lead": "They know that you are here, and will let you in as soon as they can. Do not close this page.",
    "call.title": "In the visit", place: "The patient is at: {place}.", emergency: "In an emergency: {who}.",
    door: "In the waiting room", admit: "Let in", refuse: "Turn away",
    mute: "Mute my microphone", unmute: "Unmute my microphone", picture: "My camera is on", nopicture: "My camera is off",
    leave: "Leave", end: "End the visit for everybody", "end.sure": "End the visit for everybody?",
    chat: "Written messages", "chat.label": "Your message", "chat.send": "Send", "chat.unsaid": "The message could not be kept, and was not sent. Try again.",
    quality: "Quality of the connection", "q.who": "From", "q.received": "Received (kbit/s)", "q.loss": "Loss", "q.delay": "Delay (ms)", "q.relayed": "Way",
    direct: "direct", relayed: "through a TURN server",
    joined: "{name} came in.", left: "{name} lost the connection.", alone: "Nobody else is here yet.", waits: "{name} is in the waiting room.",
    "audio-only": "{name} has sound only.",
    reconnecting: "The connection to the server was lost. Connecting again…", reconnected: "Connected again.",
    weak: "The connection is weak: your camera was turned off so that the sound goes on. You can turn it on again.",
    failed: "Sound and picture do not reach {name}. Your network may not let them through. Try again, go on with sound only, or ask for another appointment or a phone call.",
    again: "Try again", "to-sound": "Go on with sound only",
    "over.ended": "The visit has ended", "over.ended.text": "You can close this page.",
    "over.left": "You left the visit", "over.left.text": "You can come back as long as the visit is open.", back: "Enter again",
    "over.refused": "You were not let in", "over.refused.text": "If you think that this is a mistake, get in touch with the clinic.",
    "over.moved": "The visit goes on in another window", "over.moved.text": "Your seat was taken from another window or device.",
    "over.token": "This link is no good any more", "over.token.text": "Each link is good once. Ask for a new one where you got this one.",
    "over.time": "It is not the time of the visit", "over.time.text": "Come back shortly before your appointment, with the same link.",
    "over.full": "The room is full", "over.full.text": "Wait until somebody leaves, and try again.",
    "over.wrong": "Something failed", "over.wrong.text": "Load the page again. If that does not help, ask for a new link.",
    "elsewhere.lead": "Sound and picture pass through the video server of your institution, in another window. Leave this one open.", "elsewhere.open": "Open the video call",
    "elsewhere.app": "Sound and picture pass through the video server of your institution: open them in its app. Leave this page open.",
    role: { clinician: "clinician", patient: "patient", family: "family", interpreter: "interpreter" },
  },
};

let language = (navigator.languages || [navigator.language]).some((l) => /^es\b/i.test(l)) || !/^en\b/i.test(navigator.language) ? "es" : "en";

// say returns a text, with {name} filled in.
function say(key, values) {
  const text = TEXTS[language][key] ?? key;
  return values ? text.replace(/\{(\w+)\}/g, (_, k) => values[k] ?? "") : text;
}

// speak puts the texts of the language into the page.
function speak() {
  document.documentElement.lang = language === "es" ? "es-MX" : "en";
  document.title = say("title");
  for (const e of document.querySelectorAll("[data-say]")) e.textContent = say(e.dataset.say);
  for (const e of document.querySelectorAll("[data-label]")) e.setAttribute("aria-label", say(e.dataset.label));
  const b = document.getElementById("language");
  b.textContent = say("other");
  b.lang = language === "es" ? "en" : "es";
}
