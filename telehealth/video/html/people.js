// The others of a visit: those who are in it and those who wait.
"use strict";

function meet(seat) {
  if (visit.join.by !== "direct") return;
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
  if (visit.join.by !== "direct") return; // another server carries sound and picture
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

// help tells a clinician where the patient is, and whom to call if something happens to them.
function help() {
  const h = visit.help;
  $("help").hidden = !h;
  if (!h) return;
  const who = [h.name, h.relationship && `(${h.relationship})`, h.phone].filter(Boolean).join(" ");
  $("help").textContent = [h.place && say("place", h), who && say("emergency", { who })].filter(Boolean).join(" ");
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
