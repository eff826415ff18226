// The socket of a visit: what the server tells, and coming back when it was lost.
"use strict";

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
    case "kept":
      return keep(m.secret);
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
      return setTimeout(() => visit.people.has(m.person.seat) || part(m.person.seat), PACE.part);
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

// keep remembers with what this page comes back: the token is spent.
function keep(secret) {
  visit.secret = secret;
  visit.token = "";
  sessionStorage.setItem("visit:" + visit.room, secret);
  history.replaceState(null, "", "#" + visit.room);
}

function welcome(m) {
  const again = document.body.dataset.socket === "lost";
  keep(m.secret || visit.secret);
  visit.pause = 300;
  visit.you = m.you;
  document.body.dataset.socket = "open";
  if (!m.you.admitted) return show("wait");
  visit.help = m.help;
  help();
  visit.waiting = new Map((m.waiting || []).map((p) => [p.seat, p]));
  enter(m);
  if (again) notice(say("reconnected"));
}

// enter goes into the room, or finds it again after the socket was lost.
function enter(m) {
  visit.join = m.join;
  visit.people = new Map((m.people || []).map((p) => [p.seat, p]));
  document.body.dataset.by = m.join.by;
  if (document.body.dataset.step !== "call") show("call");
  $("end").hidden = visit.you.role !== "clinician";
  if (m.join.by !== "direct") elsewhere(m.join);
  for (const seat of [...visit.peers.keys()]) if (!visit.people.has(seat)) part(seat);
  for (const seat of visit.people.keys()) meet(seat);
  if (!visit.people.size) notice(say("alone"));
  door();
  tiles();
}

// elsewhere leaves camera and microphone to the page of another server. This one stays open:
// it knows who is there, lets people in, and has what is written.
function elsewhere(join) {
  for (const t of self.stream.getTracks()) t.stop();
  $("elsewhere").hidden = false;
  $("elsewhere-way").hidden = !join.page;
  if (join.page) $("elsewhere-link").href = join.page;
  $("elsewhere-lead").dataset.say = join.page ? "elsewhere.lead" : "elsewhere.app";
  speak();
}
