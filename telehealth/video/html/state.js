// What the page of a visit knows, and which part of it is shown.
"use strict";

const $ = (id) => document.getElementById(id);
const steps = ["check", "wait", "call", "over"];

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
