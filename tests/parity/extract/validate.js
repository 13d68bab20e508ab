// FHIR bundles, one a line on standard input, through FHIR.js (R4): one JSON array of errors a line. Warnings are about
// bindings that are not required.
// usage: node validate.js FOLDER_OF_FHIR_JS
const { Fhir } = require(process.argv[2]);
const fhir = new Fhir();
const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter((line) => line);
for (const line of lines) {
  const result = fhir.validate(JSON.parse(line), { errorOnUnexpected: true });
  const messages = result.messages.filter((m) => m.severity === 'error' || m.severity === 'fatal');
  console.log(JSON.stringify(messages.map((m) => `${m.severity} ${m.resourceId || ''} ${m.location}: ${m.message}`)));
}
