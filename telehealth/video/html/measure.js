// How well sound and picture arrive.
"use strict";

const WEAK = { loss: 0.1, bitrate: 120_000 }; // PACE.weak measurements in a row

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
  if (turn % PACE.tell === 0) {
    const { received, loss, jitter, roundTrip, relayed } = worst;
    send({ type: "quality", quality: { received, loss, jitter, roundTrip, relayed } });
  }
  if (self.audioOnly) return;
  const weak = worst.loss > WEAK.loss || (worst.available && worst.available < WEAK.bitrate);
  visit.weak = weak ? visit.weak + 1 : Math.max(0, visit.weak - 1);
  if (visit.weak >= PACE.weak && !visit.fewer) {
    visit.fewer = true;
    visit.weak = 0;
    for (const peer of visit.peers.values()) peer.limit(150_000, 2);
  } else if (visit.weak >= PACE.weak) {
    setPicture(false, false);
  }
}
