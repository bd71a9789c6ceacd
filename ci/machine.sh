#!/usr/bin/env bash
# Installs what the tests use and this machine lacks. Does so only as root and where apt-get is; elsewhere it says
# what is lacking. A test that lacks something says "not measured", or fails with PLUGPULL_REQUIRE_ALL=1.
set -euo pipefail

# command:package
wanted=(sqlite3:sqlite3 git:git gcc:gcc python3:python3 fusermount3:fuse3 chromium:chromium xmllint:libxml2-utils fio:fio
    sshfs:sshfs /usr/lib/openssh/sftp-server:openssh-sftp-server)
lacking=()
for pair in "${wanted[@]}"; do
    command -v "${pair%%:*}" > /dev/null || lacking+=("${pair#*:}")
done
# Headers of libc, which gcc alone does not bring.
[[ -e /usr/include/stdio.h ]] || lacking+=(libc6-dev)
# For one python3 of the machine's; the tests look for either.
python3 -c 'import jsonschema' 2> /dev/null || /usr/bin/python3 -c 'import jsonschema' 2> /dev/null \
    || lacking+=(python3-jsonschema)
python3 -c 'import yaml' 2> /dev/null || lacking+=(python3-yaml)

# The S3-compatible server of the tests, from PyPI, with no more of it than S3 needs.
moto='import flask, flask_cors, moto.server'
if ! python3 -c "$moto" 2> /dev/null && ! /usr/bin/python3 -c "$moto" 2> /dev/null; then
    if [[ $(id -u) = 0 ]] && python3 -m pip --version > /dev/null 2>&1; then
        echo "machine: installing moto with pip"
        PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore \
            python3 -m pip install -q --no-compile 'moto[s3]==5.2.5' flask flask-cors
    else
        echo "machine: lacking moto; pip install 'moto[s3]==5.2.5' flask flask-cors"
    fi
fi

if ((${#lacking[@]} == 0)); then
    echo "machine: nothing is lacking"
elif [[ $(id -u) = 0 ]] && command -v apt-get > /dev/null; then
    echo "machine: installing ${lacking[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${lacking[@]}" > /dev/null
    echo "machine: installed ${lacking[*]}"
else
    echo "machine: lacking ${lacking[*]}; only root can install them, with apt-get"
fi
