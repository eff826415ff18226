import { Client } from 'fhir-kit-client'
import { session } from './session.mjs'

const kit = new Client({ baseUrl: process.argv[2] })
const resources = (bundle) => (bundle.entry ?? []).map((e) => e.resource)

await session('fhir-kit-client', {
  status: (e) => e.response?.status,
  capabilities: () => kit.capabilityStatement(),
  create: (body) => kit.create({ resourceType: body.resourceType, body }),
  read: (resourceType, id) => kit.read({ resourceType, id }),
  vread: (resourceType, id, version) => kit.vread({ resourceType, id, version }),
  update: (body, ifMatch) => kit.update({ resourceType: body.resourceType, id: body.id, body, options: { headers: { 'If-Match': ifMatch } } }),
  patch: (resourceType, id, jsonPatch) => kit.patch({ resourceType, id, jsonPatch }),
  remove: (resourceType, id) => kit.delete({ resourceType, id }),
  transaction: (body) => kit.transaction({ body }),
  history: (resourceType, id) => kit.history({ resourceType, id }),
  async pages(resourceType, searchParams) {
    const all = []
    for (let bundle = await kit.search({ resourceType, searchParams }); bundle; bundle = await kit.nextPage({ bundle })) {
      all.push(resources(bundle))
    }
    return all
  },
})
