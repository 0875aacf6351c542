#!/bin/bash
# "make test-deploy": deploy/ is made by the real helm and kubectl, and judged (deploy.test.js); REDISPROXY names the proxy.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/install.sh"
cd "$here"
node --test --test-reporter=spec ./*.test.js
