const asked = new URLSearchParams(location.search)

FHIR.oauth2.authorize({
  clientId: asked.get('client'),
  iss: asked.get('iss'),
  scope: asked.get('scope'),
  redirectUri: 'index.html',
  pkceMode: 'required',
}).catch((e) => { document.title = `failed: ${e}` })
