#!/bin/bash
# An SBOM is JSON, says of each package what SPDX 2.3 demands, and has the package of each library that the program
# links: sbom.sh PROGRAM FILE
set -euo pipefail
program=$1 file=$2
python3 - "$file" "$(sha256sum "$program" | cut -d ' ' -f 1)" <<'END'
import json, re, sys

with open(sys.argv[1]) as file:
    document = json.load(file)
for key in ("spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo", "packages", "relationships"):
    assert document.get(key), f"sbom: there is no {key}"
assert document["spdxVersion"] == "SPDX-2.3" and document["dataLicense"] == "CC0-1.0"
assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"])
names = {}
for package in document["packages"]:
    assert re.fullmatch(r"SPDXRef-[a-zA-Z0-9.-]+", package["SPDXID"]), package["SPDXID"]
    assert package["SPDXID"] not in names, "sbom: twice: " + package["SPDXID"]
    assert package["name"] and package["versionInfo"] and package["downloadLocation"], package
    names[package["SPDXID"]] = package
for relation in document["relationships"]:
    for end in ("spdxElementId", "relatedSpdxElement"):
        assert relation[end] in names or relation[end] == "SPDXRef-DOCUMENT", relation
related = {r["spdxElementId"] for r in document["relationships"]} | {r["relatedSpdxElement"] for r in document["relationships"]}
assert set(names) <= related, "sbom: not related: " + str(set(names) - related)
assert names["SPDXRef-Package-redisproxy"]["checksums"][0]["checksumValue"] == sys.argv[2], "sbom: it is of another program"
END
while read -r library; do
    grep -qwF -- "$library" "$file" || { echo "sbom: $library is not in it" >&2; exit 1; }
done < <(readelf -dW "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
