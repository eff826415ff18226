// A system that asks for tokens by itself, with a key of its own, as SMART Backend
// Services has it. openid-client knows nothing of this server but its issuer.
import { readFile } from 'node:fs/promises'
import * as oidc from 'openid-client'

const [issuer, id, keyFile, base] = process.argv.slice(2)
let checks = 0
function check(ok, what) {
  if (!ok) throw new Error(what)
  checks++
}

const jwk = JSON.parse(await readFile(keyFile, 'utf8'))
const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-384' }, false, ['sign'])
const config = await oidc.discovery(new URL(issuer), id, undefined, oidc.PrivateKeyJwt({ key, kid: jwk.kid }), { execute: [oidc.allowInsecureRequests] })
check(config.serverMetadata().token_endpoint === `${issuer}/oauth/token`, 'discovery')

const tokens = await oidc.clientCredentialsGrant(config, { scope: 'system/Patient.rs' })
check(tokens.token_type === 'bearer', 'token_type')
check(tokens.scope === 'system/Patient.rs', `scope ${tokens.scope}`)
check(tokens.expires_in === 300, `expires_in ${tokens.expires_in}`)

const asked = (path, token) => fetch(`${base}/${path}`, { headers: token ? { Authorization: `Bearer ${token}` } : {} })
check((await asked('Patient?_count=1', tokens.access_token)).status === 200, 'what the scope lets through')
check((await asked('Patient?_count=1')).status === 401, 'without a token')
check((await asked('Observation?_count=1', tokens.access_token)).status === 403, 'what the scope does not let through')

const meant = await oidc.tokenIntrospection(config, tokens.access_token)
check(meant.active === true && meant.client_id === id, 'introspection')
await oidc.tokenRevocation(config, tokens.access_token)
check((await asked('Patient?_count=1', tokens.access_token)).status === 401, 'after revocation')

let refused
await oidc.clientCredentialsGrant(config, { scope: 'user/*.cruds' }).catch((e) => { refused = e.error })
check(refused === 'invalid_scope', `more than it may have: ${refused}`)
console.log(`${checks} checks`)
