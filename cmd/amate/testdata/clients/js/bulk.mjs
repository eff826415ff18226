// A system that exports by itself: openid-client asks for its token with a key, as SMART
// Backend Services has it, and Medplum's client orders, waits and lists what there is.
import { readFile } from 'node:fs/promises'
import * as oidc from 'openid-client'
globalThis.WebSocket ??= class {} // which Medplum expects to be there, and no part of this session uses
const { MedplumClient } = await import('@medplum/core')

const [issuer, id, keyFile, base] = process.argv.slice(2)
let checks = 0
function check(ok, what) {
  if (!ok) throw new Error(what)
  checks++
}

const jwk = JSON.parse(await readFile(keyFile, 'utf8'))
const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-384' }, false, ['sign'])
const config = await oidc.discovery(new URL(issuer), id, undefined, oidc.PrivateKeyJwt({ key, kid: jwk.kid }), { execute: [oidc.allowInsecureRequests] })
const tokens = await oidc.clientCredentialsGrant(config, { scope: 'system/*.rs' })
const url = new URL(base)
const client = (token) => new MedplumClient({ baseUrl: url.origin, fhirUrlPath: url.pathname.slice(1), accessToken: token, cacheTime: 0, autoBatchTime: 0 })
const medplum = client(tokens.access_token)

const manifest = await medplum.bulkExport('', 'Patient,Observation', undefined, { pollStatusOnAccepted: true, pollStatusPeriod: 200 })
check(manifest.requiresAccessToken === true && manifest.error.length === 0 && manifest.deleted === undefined, JSON.stringify(manifest))
check(manifest.output.map((f) => f.type).join() === 'Observation,Patient', JSON.stringify(manifest.output))
for (const file of manifest.output) {
  const blob = await medplum.download(file.url, { headers: { Accept: 'application/fhir+ndjson' } })
  const lines = (await blob.text()).trimEnd().split('\n').map((line) => JSON.parse(line))
  check(lines.length === file.count && lines.every((r) => r.resourceType === file.type && r.meta.versionId), `${file.url}: ${lines.length} lines of ${file.count}`)
}
check(manifest.request.includes('$export?_type=Patient'), manifest.request)

// What came later, of patients: nothing but what the server itself works out meanwhile.
const later = await medplum.bulkExport('Patient', undefined, manifest.transactionTime, { pollStatusOnAccepted: true, pollStatusPeriod: 200 })
check(later.output.every((f) => f.type === 'ImmunizationRecommendation') && later.error.length === 0, JSON.stringify(later))

const file = manifest.output[0].url
const asked = (token) => fetch(file, { headers: token ? { Authorization: `Bearer ${token}` } : {} })
check((await asked()).status === 401, 'a file without a token')
const few = await oidc.clientCredentialsGrant(config, { scope: 'system/Patient.rs' })
check((await asked(few.access_token)).status === 403, 'a file of what the scope does not let through')
let refused
await client(few.access_token).bulkExport('', 'Observation').catch((e) => { refused = e.outcome?.issue?.[0]?.code })
check(refused === 'forbidden', `more than the scope lets through: ${refused}`)
console.log(`${checks} checks`)
