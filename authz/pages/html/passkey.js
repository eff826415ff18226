// Signing in with a passkey, and adding one. Everything else on these pages works
// without a script.
(() => {
  "use strict";
  const ready = window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON;
  const form = (place) => ({ "Content-Type": "application/json", "X-Form": place.dataset.form });

  async function post(url, place, body) {
    const answer = await fetch(url, { method: "POST", headers: form(place), body: JSON.stringify(body || {}) });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  function wire(place, button, deed) {
    if (!place || !ready) return;
    place.hidden = false;
    const problem = document.getElementById("passkey-problem");
    button.addEventListener("click", async () => {
      problem.hidden = true;
      button.disabled = true;
      try {
        await deed();
      } catch (e) {
        problem.hidden = false;
      } finally {
        button.disabled = false;
      }
    });
  }

  const signIn = document.getElementById("passkey");
  wire(signIn, document.getElementById("passkey-button"), async () => {
    const begun = await post(signIn.dataset.begin, signIn);
    const credential = await navigator.credentials.get({
      publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(begun.options.publicKey),
    });
    const done = await post(signIn.dataset.finish + "?id=" + encodeURIComponent(begun.id) + "&next=" + encodeURIComponent(signIn.dataset.next), signIn, credential.toJSON());
    location.assign(done.next);
  });

  const add = document.getElementById("passkey-add");
  wire(add, document.getElementById("passkey-add-button"), async () => {
    const begun = await post(add.dataset.begin, add);
    const credential = await navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(begun.options.publicKey),
    });
    const name = document.getElementById("passkey-name").value;
    await post(add.dataset.finish + "?id=" + encodeURIComponent(begun.id) + "&name=" + encodeURIComponent(name), add, credential.toJSON());
    location.reload();
  });
})();
