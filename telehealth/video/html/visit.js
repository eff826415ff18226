// The page of a visit: check of devices, waiting room, the visit itself. The room and the
// token follow a # in its address: #room/token.
"use strict";

const $ = (id) => document.getElementById(id);
const steps = ["check", "wait", "call", "over", "elsewhere"];
const WEAK = { loss: 0.1, bitrate: 120_000, after: 3 }; // measurements in a row

const self = { stream: new MediaStream(), audioOnly: false, muted: false };
const visit = { room: "", token: "", secret: "", socket: null, you: null, join: null, people: new Map(), peers: new Map(), waiting: new Map(), pause: 300, over: false, weak: 0, fewer: false, said: new Set() };

function show(step) {
  for (const s of steps) $(s).hidden = s !== step;
  document.body.dataset.step = step;
  const title = $(step).querySelector("h1");
  title.tabIndex = -1;
  title.focus();
}

function notice(text) {
  $("notice").textContent = text;
}

// --- devices

async function openDevices() {
  const want = (id) => ($(id).value ? { deviceId: { exact: $(id).value } } : true);
  let trouble = "";
  for (const t of self.stream.getTracks()) t.stop();
  self.stream = new MediaStream();
  const devices = navigator.mediaDevices;
  try {
    if (!devices) throw new DOMException("", "NotFoundError");
    self.stream = await devices.getUserMedia({ audio: want("microphone"), video: $("sound-only").checked ? false : want("camera") });
  } catch (e) {
    trouble = e.name === "NotAllowedError" ? "check.denied" : "check.none";
    if (trouble === "check.none" && devices) {
      // A machine without a camera may have a microphone.
      try {
        self.stream = await devices.getUserMedia({ audio: true });
        trouble = "check.nocamera";
      } catch (e) {}
    }
  }
  $("check-trouble").hidden = !trouble;
  $("check-trouble").dataset.say = trouble;
  $("check-trouble").textContent = trouble ? say(trouble) : "";
  self.audioOnly = !self.stream.getVideoTracks().length;
  $("self-check").srcObject = $("self").srcObject = self.stream;
  if (devices) await listDevices(await devices.enumerateDevices());
  hear();
}

async function listDevices(all) {
  for (const [id, kind] of [["camera", "videoinput"], ["microphone", "audioinput"]]) {
    const used = self.stream.getTracks().find((t) => kind.startsWith(t.kind))?.getSettings().deviceId;
    $(id).replaceChildren(...all.filter((d) => d.kind === kind).map((d, i) => new Option(d.label || `${i + 1}`, d.deviceId, false, d.deviceId === used)));
    $(id).disabled = !$(id).length;
  }
}

let listening;
function hear() {
  clearInterval(listening);
  if (!self.stream.getAudioTracks().length || !window.AudioContext) return;
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(self.stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  listening = setInterval(() => {
    if (document.body.dataset.step !== "check") {
      clearInterval(listening);
      context.close();
      return;
    }
    analyser.getFloatTimeDomainData(samples);
    $("level").value = Math.min(1, 4 * Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length));
  }, 150);
}

// --- the socket

function connect() {
  const url = new URL("signal/" + encodeURIComponent(visit.room), location.href.split("#")[0]);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = (visit.socket = new WebSocket(url));
  socket.onopen = () => send({ type: "hello", audioOnly: self.audioOnly, ...(visit.secret ? { secret: visit.secret } : { token: visit.token }) });
  socket.onmessage = ({ data }) => socket === visit.socket && take(JSON.parse(data));
  socket.onclose = ({ code }) => socket === visit.socket && lost(code);
}

function send(message) {
  if (visit.socket && visit.socket.readyState === WebSocket.OPEN) visit.socket.send(JSON.stringify(message));
}

// lost comes back after a pause, unless the server closed the door.
function lost(code) {
  if (visit.over) return;
  const why = { 4401: "token", 4403: "refused", 4404: "time", 4409: "moved", 4410: "ended", 4413: "full", 4422: "wrong" }[code];
  if (why) return finish(why);
  if (!visit.secret && code === 1000) return finish("left");
  if (!visit.secret) return setTimeout(connect, 1000); // the token was not spent, or the server says so
  notice(say("reconnecting"));
  document.body.dataset.socket = "lost";
  setTimeout(connect, visit.pause);
  visit.pause = Math.min(2000, visit.pause * 2);
}

function take(m) {
  switch (m.type) {
    case "welcome":
      return welcome(m);
    case "admitted":
      visit.you = m.you;
      return enter(m);
    case "joined":
      visit.people.set(m.person.seat, m.person);
      notice(say("joined", m.person));
      return meet(m.person.seat);
    case "left":
      notice(say("left", m.person));
      visit.people.delete(m.person.seat);
      return setTimeout(() => visit.people.has(m.person.seat) || part(m.person.seat), 20_000);
    case "waiting":
      visit.waiting.set(m.person.seat, m.person);
      notice(say("waits", m.person));
      return door();
    case "gone":
      visit.waiting.delete(m.person.seat);
      return door();
    case "signal":
      return signalled(m.from, m.signal);
    case "text":
      return heard(m);
    case "state": {
      const who = visit.people.get(m.from);
      if (who) who.audioOnly = m.audioOnly;
      if (who && m.audioOnly) notice(say("audio-only", who));
      return tiles();
    }
    case "ended":
    case "closed":
      return finish("ended");
    case "refused":
      return finish("refused");
    case "moved":
      return finish("moved");
    case "error":
      if (m.code === "unsaid") notice(say("chat.unsaid"));
  }
}

function welcome(m) {
  const again = document.body.dataset.socket === "lost";
  visit.secret = m.secret || visit.secret;
  visit.token = "";
  visit.pause = 300;
  visit.you = m.you;
  document.body.dataset.socket = "open";
  sessionStorage.setItem("visit:" + visit.room, visit.secret);
  history.replaceState(null, "", "#" + visit.room); // the token is spent
  if (!m.you.admitted) return show("wait");
  visit.waiting = new Map((m.waiting || []).map((p) => [p.seat, p]));
  enter(m);
  if (again) notice(say("reconnected"));
}

// enter goes into the room, or finds it again after the socket was lost.
function enter(m) {
  visit.join = m.join;
  visit.people = new Map((m.people || []).map((p) => [p.seat, p]));
  if (m.join.by !== "direct") return elsewhere(m.join);
  if (document.body.dataset.step !== "call") show("call");
  $("end").hidden = visit.you.role !== "clinician";
  for (const seat of [...visit.peers.keys()]) if (!visit.people.has(seat)) part(seat);
  for (const seat of visit.people.keys()) meet(seat);
  if (!visit.people.size) notice(say("alone"));
  door();
  tiles();
}

function elsewhere(join) {
  const url = new URL(join.url.replace(/^ws/, "http"));
  if (join.by === "jitsi") url.searchParams.set("jwt", join.token);
  $("elsewhere-link").href = url;
  for (const t of self.stream.getTracks()) t.stop();
  show("elsewhere");
}

// --- the others

function meet(seat) {
  const before = visit.peers.get(seat);
  if (before && before.connected()) return tiles();
  part(seat);
  const config = { iceServers: visit.join.iceServers || [], iceTransportPolicy: visit.join.relayOnly ? "relay" : "all" };
  const peer = new Peer({
    seat, config, stream: self.stream, polite: visit.you.seat < seat, changed,
    send: (signal) => send({ type: "signal", to: seat, signal }),
  });
  visit.peers.set(seat, peer);
  if (visit.join.maxBitrate) peer.limit(visit.join.maxBitrate, 1);
  tiles();
}

function part(seat) {
  visit.peers.get(seat)?.close();
  visit.peers.delete(seat);
  tiles();
}

function signalled(seat, signal) {
  let peer = visit.peers.get(seat);
  // They loaded their page anew: what we had with the one before is over.
  if (!peer || (peer.remotePage && peer.remotePage !== signal.page)) {
    part(seat);
    meet(seat);
    peer = visit.peers.get(seat);
  }
  peer.take(signal);
}

function changed(peer, state) {
  const who = visit.people.get(peer.seat);
  const tile = document.querySelector(`[data-seat="${CSS.escape(peer.seat)}"]`);
  if (tile) tile.dataset.connection = state;
  if (state === "lost" && who) {
    $("trouble").hidden = false;
    $("trouble-text").textContent = say("failed", who);
  } else if (state === "connected") {
    $("trouble").hidden = true;
  }
}

// tiles shows a picture, or a name, of everybody else.
function tiles() {
  const list = $("people");
  for (const tile of list.querySelectorAll("[data-seat]")) if (!visit.peers.has(tile.dataset.seat)) tile.remove();
  for (const [seat, peer] of visit.peers) {
    const who = visit.people.get(seat);
    let tile = list.querySelector(`[data-seat="${CSS.escape(seat)}"]`);
    if (!tile) {
      tile = document.createElement("figure");
      tile.className = "tile";
      tile.dataset.seat = seat;
      const video = document.createElement("video");
      video.autoplay = video.playsInline = true;
      tile.append(video, document.createElement("figcaption"));
      list.prepend(tile);
    }
    const video = tile.querySelector("video");
    if (video.srcObject !== peer.remote) video.srcObject = peer.remote;
    if (who) {
      video.setAttribute("aria-label", who.name);
      tile.querySelector("figcaption").textContent = `${who.name} · ${TEXTS[language].role[who.role] || ""}${who.audioOnly ? " · 🎤" : ""}`;
    }
  }
}

function door() {
  $("door").hidden = !visit.waiting.size;
  $("waiting").replaceChildren(...[...visit.waiting.values()].map((p) => {
    const item = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = `${p.name} (${TEXTS[language].role[p.role] || p.role})`;
    item.append(name);
    for (const type of ["admit", "refuse"]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = say(type);
      button.setAttribute("aria-label", `${say(type)}: ${p.name}`);
      button.dataset.does = type;
      button.onclick = () => send({ type, seat: p.seat });
      item.append(button);
    }
    return item;
  }));
}

// --- what one does in the visit

function setPicture(on, asked) {
  self.audioOnly = !on;
  const track = self.stream.getVideoTracks()[0] || null;
  if (track) track.enabled = on;
  for (const peer of visit.peers.values()) {
    peer.replace("video", on ? track : null);
    peer.limit(visit.join?.maxBitrate, 1);
  }
  visit.weak = 0;
  visit.fewer = false;
  controls();
  send({ type: "state", audioOnly: self.audioOnly });
  if (!asked) notice(say("weak"));
}

function controls() {
  const has = self.stream.getVideoTracks().length > 0;
  $("picture").disabled = !has;
  $("picture").setAttribute("aria-pressed", String(!self.audioOnly));
  $("picture").dataset.say = self.audioOnly ? "nopicture" : "picture";
  $("mute").setAttribute("aria-pressed", String(self.muted));
  $("mute").dataset.say = self.muted ? "unmute" : "mute";
  for (const id of ["picture", "mute"]) $(id).textContent = say($(id).dataset.say);
}

function heard(m) {
  if (visit.said.has(m.id)) return;
  visit.said.add(m.id);
  const item = document.createElement("li");
  const who = m.from === visit.you.seat ? say("you") : visit.people.get(m.from)?.name || "";
  const name = document.createElement("strong");
  name.textContent = `${who}, ${new Date(m.at).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" })}: `;
  item.append(name, m.text);
  $("said").append(item);
  if (m.from !== visit.you.seat) $("chat").open = true;
}

function finish(why) {
  visit.over = why !== "left";
  const socket = visit.socket;
  visit.socket = null;
  socket?.close(1000);
  for (const seat of [...visit.peers.keys()]) part(seat);
  for (const t of self.stream.getTracks()) t.stop();
  if (visit.over) sessionStorage.removeItem("visit:" + visit.room);
  $("over-title").dataset.say = "over." + why;
  $("over-text").dataset.say = `over.${why}.text`;
  $("over-again").hidden = why !== "left" && why !== "full";
  speak();
  document.body.dataset.over = why;
  show("over");
}

// measure tells the server how well media arrive, and gives up one's picture where the
// line is too weak for it: the sound goes on.
let turn = 0;
async function measure() {
  if (document.body.dataset.step !== "call") return;
  turn++;
  const rows = [];
  let worst = null;
  for (const [seat, peer] of visit.peers) {
    const q = peer.connected() ? await peer.measure() : null;
    if (!q) continue;
    rows.push([visit.people.get(seat)?.name || "", Math.round(q.received / 1000), `${Math.round(q.loss * 100)} %`, Math.round(q.roundTrip), say(q.relayed ? "relayed" : "direct"), seat]);
    if (!worst || q.loss > worst.loss || q.available < worst.available) worst = q;
  }
  $("measured").replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    row.dataset.of = cells.pop();
    row.append(...cells.map((c) => Object.assign(document.createElement("td"), { textContent: c })));
    return row;
  }));
  if (!worst) return;
  if (turn % 5 === 0) {
    const { received, loss, jitter, roundTrip, relayed } = worst;
    send({ type: "quality", quality: { received, loss, jitter, roundTrip, relayed } });
  }
  if (self.audioOnly) return;
  const weak = worst.loss > WEAK.loss || (worst.available && worst.available < WEAK.bitrate);
  visit.weak = weak ? visit.weak + 1 : Math.max(0, visit.weak - 1);
  if (visit.weak >= WEAK.after && !visit.fewer) {
    visit.fewer = true;
    visit.weak = 0;
    for (const peer of visit.peers.values()) peer.limit(150_000, 2);
  } else if (visit.weak >= WEAK.after) {
    setPicture(false, false);
  }
}

// --- beginning

function begin() {
  speak();
  controls();
  const [name, token] = decodeURIComponent(location.hash.slice(1)).split("/");
  visit.room = name || "";
  visit.token = token || "";
  visit.secret = token ? "" : sessionStorage.getItem("visit:" + visit.room) || "";
  if (!visit.room || (!visit.token && !visit.secret)) return finish("token");
  show("check");
  openDevices();
}

$("language").onclick = () => {
  language = language === "es" ? "en" : "es";
  speak();
  controls();
  tiles();
  door();
};
for (const id of ["camera", "microphone", "sound-only"]) $(id).onchange = openDevices;
$("join").onclick = () => {
  show("wait");
  controls();
  connect();
};
$("mute").onclick = () => {
  self.muted = !self.muted;
  for (const t of self.stream.getAudioTracks()) t.enabled = !self.muted;
  controls();
};
$("picture").onclick = () => setPicture(self.audioOnly, true);
$("leave").onclick = $("leave-wait").onclick = () => {
  send({ type: "leave" });
  finish("left");
};
$("end").onclick = () => confirm(say("end.sure")) && send({ type: "end" });
$("back").onclick = () => {
  visit.over = false;
  show("check");
  openDevices();
};
$("again").onclick = () => {
  $("trouble").hidden = true;
  for (const peer of visit.peers.values()) if (!peer.connected()) peer.retry();
};
$("trouble-sound").onclick = () => {
  $("trouble").hidden = true;
  setPicture(false, true);
  for (const peer of visit.peers.values()) if (!peer.connected()) peer.retry();
};
$("say").onsubmit = (e) => {
  e.preventDefault();
  send({ type: "text", id: crypto.randomUUID(), text: $("words").value });
  $("words").value = "";
  $("words").focus();
};
addEventListener("online", () => visit.socket?.readyState === WebSocket.CLOSED && visit.secret && !visit.over && connect());
setInterval(measure, 2000);
begin();
