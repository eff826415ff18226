// What one does in a visit: picture and sound, what is written, going away.
"use strict";

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
