// The check of camera and microphone before a visit.
"use strict";

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
