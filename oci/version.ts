/** The name and the versions of this program. */

/** The project's version, as in deno.json. */
export const VERSION = "0.1.0";

/** The version of the OCI runtime specification that bundles are read by. */
export const OCI_VERSION = "1.2.0";

/** The commit that `--version` prints. */
export const COMMIT = `v${VERSION}`;

/** What `--version` prints, in runc's form. */
export const VERSION_TEXT = `dvisor version ${VERSION}\ncommit: ${COMMIT}\nspec: ${OCI_VERSION}`;
