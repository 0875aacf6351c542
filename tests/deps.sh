#!/bin/bash
# Installs what is missing of the Debian packages that redisproxy is built, run and tested with:
#     tests/deps.sh          to build and run
#     tests/deps.sh test     to test as well
#     tests/deps.sh lint     to lint as well
#     tests/deps.sh bench    for "make bench": what it compares with
#     tests/deps.sh profile  for "make profile"
#     tests/deps.sh page     for "make test-page"
#     tests/deps.sh deploy   for "make test-deploy"
#     tests/deps.sh deb      for "make deb"
#     tests/deps.sh packages for "make test-packages"
#     tests/deps.sh image    for "make test-image" and "make test-arm64"
# Says nothing when nothing is missing.
set -euo pipefail

packages=(
    # building
    gcc libc6-dev make pkg-config libuv1-dev libhiredis-dev libmicrohttpd-dev libinih-dev
    libcjson-dev uthash-dev libssl-dev libsodium-dev libgnutls28-dev libsystemd-dev
    # running it on a trio, and testing
    redis-server redis-sentinel redis-tools libcriterion-dev procps iproute2
)
if [[ ${1:-} == test ]]; then
    # the client libraries of tests/clients; promtool; what judges the units, and a sandbox as theirs; what the documents use
    packages+=(python3-redis python3-celery prometheus systemd libseccomp-dev curl openssl)
    # Node.js with its own npm may be there from elsewhere: Debian's would be in its way.
    { command -v node && command -v npm; } >/dev/null || packages+=(nodejs npm)
elif [[ ${1:-} == lint ]]; then
    packages+=(clang clang-format clang-tidy cppcheck groff-base mandoc zsh)
elif [[ ${1:-} == bench ]]; then
    packages+=(haproxy nutcracker)
elif [[ ${1:-} == page ]]; then
    packages+=(chromium fonts-dejavu-core pngquant)
    { command -v node && command -v npm; } >/dev/null || packages+=(nodejs npm)
elif [[ ${1:-} == deploy ]]; then
    packages+=(openssl python3 haproxy)
    { command -v node && command -v npm; } >/dev/null || packages+=(nodejs npm)
elif [[ ${1:-} == deb ]]; then
    packages+=(build-essential debhelper fakeroot lintian)
elif [[ ${1:-} == packages ]]; then
    packages+=(debootstrap systemd)
elif [[ ${1:-} == image ]]; then
    packages+=(buildah debootstrap qemu-user-static python3 binutils)
elif [[ ${1:-} == profile ]]; then
    packages+=(valgrind)
    [[ ${WITH:-} != perf ]] || packages+=(linux-perf)
fi

if ! command -v dpkg-query >/dev/null; then
    echo "deps: this is not Debian; install what corresponds to: ${packages[*]}" >&2
    exit 1
fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null || true)
    # Multi-arch packages may have several lines.
    [[ $status == *installed* && $status != *not-installed* ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
        echo "deps: not root, and there is no sudo; run as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

echo "deps: installing ${missing[*]}"
# Debian starts and enables these services when it installs them. Nobody asked for them here, and
# Redis and Sentinel would sit on the ports that "make run" uses.
policy=/usr/sbin/policy-rc.d
services=()
for service in redis-server redis-sentinel haproxy nutcracker prometheus; do
    [[ " ${missing[*]} " == *" $service "* ]] && services+=("$service")
done
if ((${#services[@]})) && [[ ! -e $policy ]]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi

install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
if ! { "${install[@]}" update && "${install[@]}" install -y --no-install-recommends "${missing[@]}"; }
then
    echo "deps: apt-get failed; see above. Needed: ${missing[*]}" >&2
    exit 1
fi
if ((${#services[@]})) && command -v systemctl >/dev/null; then
    "${as_root[@]}" systemctl -q disable "${services[@]}" 2>/dev/null || true
fi
