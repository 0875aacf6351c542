#!/bin/bash
# What the program is made of, as SPDX 2.3 in JSON: sbom.sh PROGRAM VERSION >FILE. The libraries are those that it links, and
# those that they link; package, version and source are dpkg's word, so it is made where the program was built, or where
# it is installed. The same program and libraries give the same file: the time is SOURCE_DATE_EPOCH's.
set -euo pipefail
(($# == 2)) || { echo "usage: sbom.sh PROGRAM VERSION" >&2; exit 1; }
program=$1 version=$2
created=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)
owners=$("$(dirname "$0")/owners.sh" "$program")
sum=$(sha256sum "$program" | cut -d ' ' -f 1)

quoted() { # as a string of JSON
    local text=${1//\\/\\\\}
    printf '"%s"' "${text//\"/\\\"}"
}

# The short names of licences that Debian's machine-readable copyright file has. They are Debian's names, of which not all are
# SPDX's, so they stand in a comment.
licences_of() {
    LC_ALL=C sed -n 's/^License: *\([[:alnum:]][[:alnum:]+._ -]*\)$/\1/p' "/usr/share/doc/${1%%:*}/copyright" 2>/dev/null | sort -u | paste -sd, - | sed 's/,/, /g'
}

library() { # PACKAGE:ARCHITECTURE, and the libraries that are from it
    local package=$1 names=$2 have source source_version architecture licences comment
    read -r have source source_version architecture < <(dpkg-query \
        -W -f '${Version} ${source:Package} ${source:Version} ${Architecture}\n' "$package")
    licences=$(licences_of "$package")
    comment="$names${licences:+; licences, as Debian names them: $licences}"
    cat <<END
    ,{
      "SPDXID": "SPDXRef-Package-${package%%:*}",
      "name": "${package%%:*}",
      "versionInfo": $(quoted "$have"),
      "supplier": "Organization: Debian",
      "downloadLocation": "NOASSERTION",
      "filesAnalyzed": false,
      "licenseConcluded": "NOASSERTION",
      "licenseDeclared": "NOASSERTION",
      "copyrightText": "NOASSERTION",
      "sourceInfo": $(quoted "built from $source $source_version"),
      "comment": $(quoted "$comment"),
      "externalRefs": [
        {
          "referenceCategory": "PACKAGE-MANAGER",
          "referenceType": "purl",
          "referenceLocator": "pkg:deb/debian/${package%%:*}@${have//:/%3A}?arch=$architecture"
        }
      ]
    }
END
}

relation() { # of two packages; never the first one of the list
    printf ',\n    {"spdxElementId": "SPDXRef-Package-%s", "relationshipType": "%s", "relatedSpdxElement": "SPDXRef-Package-%s"}' "$@"
}

packages=$(cut -d ' ' -f 1 <<<"$owners" | LC_ALL=C sort -u)
cat <<END
{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "redisproxy-$version",
  "documentNamespace": "urn:redisproxy:sbom:$version:$sum",
  "creationInfo": {
    "created": "$created",
    "creators": ["Tool: redisproxy-packaging-sbom.sh"]
  },
  "documentDescribes": ["SPDXRef-Package-redisproxy"],
  "packages": [
    {
      "SPDXID": "SPDXRef-Package-redisproxy",
      "name": "redisproxy",
      "versionInfo": $(quoted "$version"),
      "downloadLocation": "NOASSERTION",
      "filesAnalyzed": false,
      "licenseConcluded": "BSD-2-Clause",
      "licenseDeclared": "BSD-2-Clause",
      "copyrightText": "Copyright (c) 2026 the authors of redisproxy",
      "primaryPackagePurpose": "APPLICATION",
      "checksums": [{"algorithm": "SHA256", "checksumValue": "$sum"}]
    }
END
while read -r package; do
    names=$(awk -v p="$package" '$1 == p { n = split($2, part, "/"); print part[n] }' <<<"$owners" | paste -sd' ' -)
    library "$package" "$names"
done <<<"$packages"
# Of uthash there are only headers: it is in the program itself.
library uthash-dev "uthash.h, compiled in"
echo '  ],'
echo '  "relationships": ['
printf '    {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-Package-redisproxy"}'
direct=$(readelf -dW "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
while read -r package; do
    kind=RUNTIME_DEPENDENCY_OF # a library of a library
    while read -r path; do
        ! grep -qxF "${path##*/}" <<<"$direct" || kind=DYNAMIC_LINK
    done < <(awk -v p="$package" '$1 == p { print $2 }' <<<"$owners")
    if [[ $kind == DYNAMIC_LINK ]]; then
        relation redisproxy DYNAMIC_LINK "${package%%:*}"
    else
        relation "${package%%:*}" RUNTIME_DEPENDENCY_OF redisproxy
    fi
done <<<"$packages"
relation redisproxy STATIC_LINK uthash-dev
printf '\n  ]\n}\n'
