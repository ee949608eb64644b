// verify.js PUBLIC_KEY BUNDLE...: whether sigstore's own verifier takes each bundle, a line of JSON each.
const crypto = require("crypto");
const fs = require("fs");
const { bundleFromJSON } = require("@sigstore/bundle");
const { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");

const publicKey = crypto.createPublicKey(fs.readFileSync(process.argv[2]));
const nobody = { mediaType: "", tlogs: [], certificateAuthorities: [], ctlogs: [], timestampAuthorities: [] };
// There is no log and no authority: a key alone is trusted.
const trusted = toTrustMaterial(nobody, () => ({ publicKey, validFor: () => true }));
const verifier = new Verifier(trusted, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 });
for (const file of process.argv.slice(3)) {
  let problem = "";
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(fs.readFileSync(file)))));
  } catch (error) {
    problem = `${error.code || error.name}: ${error.message}`;
  }
  console.log(JSON.stringify({ file, problem }));
}
