// What an app does once it is let in: whose record is this, what is in it, and does the
// session go on.
async function use(client) {
  const patient = await client.patient.read()
  const found = await client.request(`Immunization?patient=${client.patient.id}&_count=3`)
  const before = client.state.tokenResponse.access_token
  await client.refresh()
  const again = await client.request(`Patient/${client.patient.id}`)
  const others = await client.request('Patient?_count=5')
  return {
    patient: patient.id,
    context: client.patient.id,
    type: found.resourceType,
    user: client.user.fhirUser,
    idToken: client.getIdToken(),
    scope: client.state.tokenResponse.scope,
    refreshed: client.state.tokenResponse.access_token !== before && again.id === patient.id,
    others: (others.entry ?? []).map((e) => e.resource.id),
  }
}

FHIR.oauth2.ready().then(use).catch((e) => ({ failed: String(e), stack: e.stack, url: location.href })).then((result) => {
  const place = document.getElementById('result')
  place.textContent = JSON.stringify(result)
  place.hidden = false
})
