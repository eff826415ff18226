// The page of a visit: check of devices, waiting room, the visit itself. The room and the
// token follow a # in its address: #room/token. The other scripts are loaded before this one.
"use strict";

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
  help();
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
setInterval(measure, PACE.measure);
begin();
