// A connection to one other person of the visit. The impolite one of the two offers sound
// and picture both ways, and the polite one says when it is ready for that; whatever
// comes later either of them may offer, by the "perfect negotiation" pattern of W3C WebRTC
// 1.0, 10.7: the polite one gives way.
"use strict";

const PAGE = crypto.randomUUID(); // tells this page from one that was loaded before it

class Peer {
  // send carries what is to be told the other; changed is called when the state changes.
  constructor({ seat, polite, config, stream, send, changed }) {
    Object.assign(this, { seat, polite, send, changed, config });
    this.remotePage = null;
    this.candidates = [];
    this.last = {};
    this.remote = new MediaStream();
    this.stream = stream;
    this.senders = {};
    this.open();
  }

  open() {
    const pc = (this.pc = new RTCPeerConnection(this.config));
    this.making = this.ignore = false;
    pc.onnegotiationneeded = () => this.offer();
    pc.onicecandidate = ({ candidate }) => candidate && this.tell({ candidate });
    pc.ontrack = ({ track }) => {
      this.remote.addTrack(track);
      track.onended = () => this.remote.removeTrack(track);
    };
    pc.onconnectionstatechange = () => this.look();
    if (this.polite) return this.tell({ ready: true });
    // Both kinds are asked for whatever we have ourselves: who has no camera sees others.
    for (const kind of ["audio", "video"]) this.senders[kind] = pc.addTransceiver(this.mine(kind) || kind, { direction: "sendrecv", streams: [this.stream] }).sender;
  }

  mine(kind) {
    return this.stream.getTracks().find((t) => t.kind === kind && (t.enabled || kind === "audio")) || null;
  }

  // join sends what is ours where the other offered to take it.
  async join() {
    for (const t of this.pc.getTransceivers()) {
      const kind = t.receiver.track.kind;
      if (this.senders[kind]) continue;
      this.senders[kind] = t.sender;
      t.direction = "sendrecv";
      t.sender.setStreams(this.stream);
      await t.sender.replaceTrack(this.mine(kind));
    }
  }

  tell(signal) {
    this.send({ ...signal, page: PAGE });
  }

  async offer() {
    try {
      this.making = true;
      await this.pc.setLocalDescription();
      this.tell({ description: this.pc.localDescription });
    } catch (e) {
      console.error("offer", e.name);
    } finally {
      this.making = false;
    }
  }

  // take is what the other told.
  async take({ description, candidate, ready, page }) {
    this.remotePage = page;
    try {
      if (ready && !this.connected()) {
        // An offer that was made before may have reached nobody.
        if (this.pc.signalingState === "have-local-offer") this.tell({ description: this.pc.localDescription });
        else if (this.pc.remoteDescription) this.pc.restartIce();
      }
      if (description) {
        const collision = description.type === "offer" && (this.making || this.pc.signalingState !== "stable");
        this.ignore = !this.polite && collision;
        if (this.ignore) return;
        await this.pc.setRemoteDescription(description);
        for (const c of this.candidates.splice(0)) await this.pc.addIceCandidate(c);
        if (description.type === "offer") {
          await this.join();
          await this.pc.setLocalDescription();
          this.tell({ description: this.pc.localDescription });
        }
      } else if (candidate) {
        if (!this.pc.remoteDescription) this.candidates.push(candidate);
        else await this.pc.addIceCandidate(candidate);
      }
    } catch (e) {
      if (!this.ignore) console.error("take", e.name);
    }
  }

  look() {
    const now = this.pc.connectionState;
    this.changed(this, now);
    if (now === "failed" && !this.trying) this.pc.restartIce();
    if ((now !== "failed" && now !== "disconnected") || this.trying) return;
    this.trying = true;
    setTimeout(() => {
      this.trying = false;
      if (["failed", "connecting", "disconnected"].includes(this.pc.connectionState)) this.changed(this, "lost");
    }, PACE.lost);
  }

  // retry begins anew, with what the person asked for.
  retry() {
    this.trying = false;
    this.pc.restartIce();
    this.look();
  }

  connected() {
    return this.pc.connectionState === "connected";
  }

  // replace sends another track, or none, in place of the one of a kind.
  replace(kind, track) {
    return this.senders[kind]?.replaceTrack(track);
  }

  async limit(bitrate, smaller) {
    const p = this.senders.video?.getParameters();
    if (!p || !p.encodings || !p.encodings.length) return;
    if (bitrate) p.encodings[0].maxBitrate = bitrate;
    else delete p.encodings[0].maxBitrate;
    p.encodings[0].scaleResolutionDownBy = smaller;
    await this.senders.video.setParameters(p).catch(() => {});
  }

  // measure returns how well media arrived since it was asked last, null when it did not.
  async measure() {
    const reports = [...(await this.pc.getStats()).values()];
    const pair = reports.find((r) => r.type === "candidate-pair" && r.nominated && r.state === "succeeded");
    if (!pair) return null;
    const inbound = reports.filter((r) => r.type === "inbound-rtp");
    const now = { at: performance.now(), bytes: 0, lost: 0, received: 0 };
    for (const r of inbound) {
      now.bytes += r.bytesReceived || 0;
      now.lost += Math.max(0, r.packetsLost || 0);
      now.received += r.packetsReceived || 0;
    }
    const before = this.last;
    this.last = now;
    if (before.at === undefined) return null;
    const packets = now.lost - before.lost + (now.received - before.received);
    const local = reports.find((r) => r.id === pair.localCandidateId);
    const remote = reports.find((r) => r.id === pair.remoteCandidateId);
    return {
      received: Math.max(0, ((now.bytes - before.bytes) * 8000) / (now.at - before.at)),
      loss: packets > 0 ? Math.max(0, now.lost - before.lost) / packets : 0,
      jitter: 1000 * Math.max(0, ...inbound.map((r) => r.jitter || 0)),
      roundTrip: 1000 * (pair.currentRoundTripTime || 0),
      relayed: (local && local.candidateType === "relay") || (remote && remote.candidateType === "relay") || false,
      available: pair.availableOutgoingBitrate,
    };
  }

  close() {
    this.pc.onconnectionstatechange = this.pc.onnegotiationneeded = null;
    this.pc.close();
  }
}
