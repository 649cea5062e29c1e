#!/bin/sh
# The host's files that the policies of the reading show, in the folder that is given.
set -e
cd "$1"
mkdir -p site/content/drafts/shared/keys site/content/drafts/open site/content/drafts2 site/theme site/public/sub \
    site/public/.well-known/acme site/public/assets site/open build/tree build/obj/bin/tool/data build/cache \
    build/repo/.git/hooks build/repo/.secrets backup/out/.partial backup/run logs/var/app/link logs/elsewhere/inner \
    logs/report/final/draft agent/run agent/ssh/keys/public runner/work packages/work/venv/bin convert/in/raw/ok \
    convert/out/seen convert/seen ci/ws/secrets/pub ci/ws/.git/hooks ci/vendor ci/artifacts/old ci/artifacts/signed \
    ci/artifacts/tmp ci/etc proxy/app proxy/etc proxy/cache/pinned/tmp
for file in site/public/CNAME site/public/index.html site/content/post.md site/content/drafts/a.md \
    site/content/drafts/shared/a.md site/content/drafts2/a site/public/a.html build/tree/Makefile build/cache/x \
    build/obj/bin/x build/repo/.git/HEAD backup/pw backup/out/latest logs/var/auth.log logs/var/auth.log.1 \
    logs/var/syslog logs/elsewhere/a logs/report/final/a agent/ssh/config agent/ssh/id_ed25519 \
    agent/ssh/id_ed25519.pub agent/ssh/keys/public/a runner/work/.env packages/work/pyproject.toml convert/in/a.png \
    convert/in/raw/ok/a convert/out/a.jpg convert/seen/x ci/ws/.env ci/ws/.env.example ci/ws/README ci/ws/.git/config \
    ci/vendor/x ci/artifacts/old/index ci/artifacts/old/sums ci/etc/x proxy/etc/key.pem proxy/etc/x proxy/app/proxy.py; do
    echo x > $file
done
for program in build/obj/a.out packages/work/venv/bin/pip3 runner/work/t ci/ws/tool; do
    cp /bin/true $program
done
chmod 600 backup/pw
ln -sfn /usr/bin/python3 packages/work/venv/bin/python
