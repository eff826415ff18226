import smart from 'fhirclient'
import { session } from './session.mjs'

const base = process.argv[2]
const kept = new Map() // fhirclient wants a place for the session of a user, and there is none here
const storage = { get: async (k) => kept.get(k), set: async (k, v) => kept.set(k, v), unset: async (k) => kept.delete(k) }
const client = smart({ headers: {} }, {}, storage).client({ serverUrl: base })
const json = { 'Content-Type': 'application/json' }

await session('fhirclient', {
  status: (e) => e.statusCode ?? e.status ?? e.response?.status,
  capabilities: () => client.request('metadata'),
  create: (resource) => client.create(resource),
  read: (type, id) => client.request(`${type}/${id}`),
  vread: (type, id, version) => client.request(`${type}/${id}/_history/${version}`),
  update: (resource, ifMatch) => client.update(resource, { headers: { ...json, 'If-Match': ifMatch } }),
  patch: (type, id, operations) => client.patch(`${type}/${id}`, operations),
  remove: (type, id) => client.delete(`${type}/${id}`),
  transaction: (bundle) => client.request({ url: '', method: 'POST', headers: json, body: JSON.stringify(bundle) }),
  history: (type, id) => client.request(`${type}/${id}/_history`),
  pages: (type, query) =>
    client.request(`${type}?${new URLSearchParams(query)}`, { pageLimit: 0 })
      .then((bundles) => bundles.map((b) => (b.entry ?? []).map((e) => e.resource))),
})
