// Reads cases [{query, credentials, presentation}] from standard input, answers each as npm's dcql does.
import { readFileSync } from "node:fs";
import { DcqlPresentationResult, DcqlQuery } from "dcql";

function asWallet(query, credentials) {
  const result = DcqlQuery.query(query, credentials);
  const answers = {};
  for (const [id, found] of Object.entries(result.credential_matches)) {
    answers[id] = (found.valid_credentials ?? []).map((each) => [
      each.input_credential_index,
      each.claims.valid_claim_sets.length,
    ]);
  }
  const sets = (result.credential_sets ?? []).map((set) => set.matching_options ?? []);
  return { satisfiable: result.can_be_satisfied, answers, sets };
}

function asVerifier(query, presentation) {
  try {
    return DcqlPresentationResult.fromDcqlPresentation(presentation, { dcqlQuery: query }).can_be_satisfied;
  } catch {
    return false;
  }
}

function judge({ query: raw, credentials, presentation }) {
  let query;
  try {
    query = DcqlQuery.parse(raw);
    DcqlQuery.validate(query);
  } catch {
    return { refused: true };
  }
  return { refused: false, wallet: asWallet(query, credentials), verifier: asVerifier(query, presentation) };
}

const cases = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map(judge)));
