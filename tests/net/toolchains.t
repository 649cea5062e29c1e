#!/usr/bin/perl
# Real toolchains under the standard library's modules: each builds and tests a small project (tests/toolchains) at the
# first try, offline, and only the project's output can be written. Then the same with an index, a registry, a proxy, a
# repository and a server that the policy names.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Net;
use Test::More;

own_network();
my $served = folder();
mkdir "$served/files";
system(<<"S") == 0 or die 'nothing to serve';
set -e
cd $served
mkdir -p files/simple/shout files/npm wheel/shout-1.0.0.dist-info
printf 'def shout(text):\\n    return text.upper()\\n' > wheel/shout.py
printf 'Metadata-Version: 2.1\\nName: shout\\nVersion: 1.0.0\\n' > wheel/shout-1.0.0.dist-info/METADATA
printf 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n' > wheel/shout-1.0.0.dist-info/WHEEL
for file in shout.py shout-1.0.0.dist-info/METADATA shout-1.0.0.dist-info/WHEEL shout-1.0.0.dist-info/RECORD; do
    echo "\$file,,"
done > wheel/shout-1.0.0.dist-info/RECORD
cd wheel
python3 -m zipfile -c ../files/simple/shout/shout-1.0.0-py3-none-any.whl shout.py shout-1.0.0.dist-info
cd ..
ln -s /usr/share/maven-repo files/maven
mkdir package && cp $root/tests/toolchains/node/shout/* package && tar -czf files/npm/shout-1.0.0.tgz package
cat > files/npm/shout <<'J'
{"name":"shout","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"shout","version":"1.0.0",
"dist":{"tarball":"http://web.test:8000/files/npm/shout-1.0.0.tgz"}}}}
J
module=example.test/shout\@v1.0.0
mkdir -p go/\$module files/go/example.test/shout/\@v
cd go
printf 'module example.test/shout\\n\\ngo 1.19\\n' > \$module/go.mod
printf 'package shout\\n\\nimport "strings"\\n\\nvar Shout = strings.ToUpper\\n' > \$module/shout.go
cd ../files/go/example.test/shout/\@v
echo v1.0.0 > list
echo '{"Version":"v1.0.0"}' > v1.0.0.info
cp $served/go/\$module/go.mod v1.0.0.mod
zip='import sys, zipfile; z = zipfile.ZipFile(sys.argv[1], "w"); [z.write(f) for f in sys.argv[2:]]'
there=\$PWD
cd $served/go
python3 -c "\$zip" \$there/v1.0.0.zip \$module/go.mod \$module/shout.go
S
if (-x '/usr/bin/git') {
    system("cd $served && git init -q -b main work && cd work && echo content > file && git add file "
        . "&& git -c user.name=n -c user.email=e commit -q -m one && git clone -q --bare . ../files/repo.git "
        . "&& cd ../files/repo.git && git update-server-info") == 0
        or die 'no repository';
}
chdir $served;
servers('http', 'dns');
chdir '/';

# name, programs it takes, project, `use`, what is done, and what comes of it. The policy shows the project at /work,
# and only /work/out and /tmp are writable.
my @cases = (
    ['Python: venv, pip from files, pytest', ['python3', 'pytest-3'], 'python', 'std.python', <<'S', qr/^2 passed/m],
python3 -m venv --system-site-packages out/venv && mkdir /tmp/src && cp -r words pyproject.toml /tmp/src
out/venv/bin/pip install -q --no-index --find-links /work/wheels --no-build-isolation /tmp/src && cd out &&
    venv/bin/python -m pytest -q -p no:cacheprovider /work/tests
S
    ['Python: pip from an index', ['python3', 'pytest-3'], 'python', 'std.python.pip("web.test":8000)',
        <<'S', qr/^2 passed/m],
python3 -m venv --system-site-packages out/venv &&
    out/venv/bin/pip install -q --index-url http://web.test:8000/files/simple/ --trusted-host web.test shout
cd out && PYTHONPATH=/work venv/bin/python -m pytest -q -p no:cacheprovider /work/tests
S
    ['Node: npm ci, its test runner', ['node', 'npm'], 'node', 'std.node', <<'S', qr/^HI\n.*# pass 1$/ms],
cp -r package.json package-lock.json shout-1.0.0.tgz words.js test out && cd out && npm ci &&
    node -e 'console.log(require("shout")("hi"))' && npm test
S
    ['Node: npm from a registry', ['node', 'npm'], 'node', 'std.node.registry("web.test":8000)', <<'S', qr/^HI$/m],
cd out && echo '{}' > package.json && npm install --registry http://web.test:8000/files/npm/ shout &&
    node -e 'console.log(require("shout")("hi"))'
S
    ['Go: vet, test, build', ['go'], 'go', 'std.go', 'go vet ./... && go test ./... && go build -o '
        . 'out/words ./cmd/words && out/words', qr/^ok\s+example\.test\/words.*^2$/ms],
    ['Go: a module from a proxy', ['go'], 'go', 'std.go.proxy("web.test":8000)', <<'S', qr/^HI$/m],
export GOPROXY=http://web.test:8000/files/go GONOSUMDB=example.test
mkdir /tmp/ask && cd /tmp/ask && cat > main.go <<'M'
package main

import (
	"example.test/shout"
	"fmt"
)

func main() { fmt.Println(shout.Shout("hi")) }
M
go mod init example.test/ask && go get example.test/shout@v1.0.0 && go run .
S
    ['Rust: cargo test and build', ['rustc', 'cargo'], 'rust', 'std.rust', 'cargo test --target-dir out && cargo '
        . 'build --target-dir out --release && out/release/words', qr/^test counts \.\.\. ok.*^2 true$/ms],
    ['Java: javac, jar', ['javac', 'jar'], 'java', 'std.java', <<'S', qr/^2$/m],
javac -d out/classes src/main/java/Words.java &&
    jar --create --file out/words.jar --main-class Words -C out/classes . && java -jar out/words.jar
S
    ['Java: a virtual machine alone', ['javac'], 'java', 'std.java.jre', 'java src/main/java/Words.java', qr/^2$/m],
    ['Java: Maven offline', ['mvn', 'javac'], 'java', 'std.java', <<'S', qr/Tests run: 1, Failures: 0.*BUILD SUCCESS/s],
mvn -B -o -llr -Dmaven.repo.local=/usr/share/maven-repo package && java -cp out/target/words-1.0.0.jar Words
S
    ['Java: Maven from a repository', ['mvn', 'javac'], 'java', 'std.java.repository("web.test":8000)',
        <<'S', qr/Tests run: 1, Failures: 0.*BUILD SUCCESS/s],
cat > /tmp/settings.xml <<'M'
<settings><mirrors><mirror><id>maven-default-http-blocker</id><mirrorOf>*</mirrorOf>
<url>http://web.test:8000/files/maven/</url></mirror></mirrors></settings>
M
cp -rs /usr/share/maven-repo /tmp/m2 && rm -r /tmp/m2/junit # all is there but one
mvn -B -s /tmp/settings.xml -llr -Dmaven.repo.local=/tmp/m2 package
test -f /tmp/m2/junit/junit/4.x/*.jar && java -cp out/target/words-1.0.0.jar Words
S
    ['C and C++: cmake, ninja, gcc', ['cmake', 'ninja', 'gcc', 'g++'], 'c', 'std.c',
        'cmake -S . -B out -G Ninja && ninja -C out && cd out && ctest', qr/100% tests passed/],
    ['C and C++: cmake, make, clang', ['cmake', 'make', 'clang'], 'c', 'std.c',
        'CC=clang CXX=clang++ cmake -S . -B out && make -C out -j2 && make -C out test', qr/100% tests passed/],
    ['git: clone, commit, merge', ['git'], 'c', 'std.git', <<'S', qr/^one\ntwo\nmerged\n$/m],
export GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=e GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=e; cd out &&
    git init -q -b main a && cd a && echo 1 > f && git add f && git commit -q -m one && git clone -q . ../b
cd ../b && git checkout -q -b side && echo 2 > g && git add g && git commit -q -m two && git checkout -q main &&
    git merge -q --no-ff -m merged side && git fsck && git log --topo-order --reverse --format=%s
S
    ['git: from a server', ['git'], 'c', 'std.git.remote("web.test":8000)',
        'git clone -q http://web.test:8000/files/repo.git out/r && cat out/r/file', qr/^content$/],
    ['shell tools', ['tar', 'awk', 'find'], 'c', 'std.shell', 'tar -cf - *.c | tar -xf - -C out && find out '
        . '-name "*.c" | sort | xargs wc -l | awk "END { print \$1 }" | sed s/^/lines:/', qr/^lines:9$/],
);

for my $user (users()) {
    for my $case (@cases) {
        my ($name, $programs, $project, $uses, $script, $expected) = @$case;
        # each is the same again but for the broker, which has tests of its own
        next if $user->{name} eq 'root' && $uses =~ /\(/;
        SKIP: {
            my @missing = grep { !-x "/usr/bin/$_" } @$programs;
            skip "$user->{name}: $name: no @missing here", 3 if @missing;
            my $dir = folder();
            system("cp -r $root/tests/toolchains/$project $dir/project && mkdir $dir/project/out $dir/project/wheels "
                . "&& cp $served/files/simple/shout/*.whl $dir/project/wheels && cp $served/files/npm/*.tgz "
                . "$dir/project") == 0 or die;
            system('chown', '-R', "$user->{uid}:$user->{gid}", $dir) if defined $user->{uid} && $> == 0;
            my ($module) = $uses =~ /^(std\.[a-z]+)/;
            my $git = $module eq 'std.git' ? "\n        # allow SBX0726: nobody's git is asked there later" : '';
            spew("$dir/p.sbx", <<"P");
sbx 1;
import $module;
policy p {
    use $uses;
    fs {
        allow read "/work" from "./project";
        # allow SBX0715: it builds and tests there$git
        allow read, write, exec "/work/out" from "./project/out";
        # allow SBX0715: tests are built and run there
        allow read, write, exec "/tmp" from tmpfs size 1GiB;
        never write "/usr", "/etc";
    }
    process { cwd "/work"; }
}
P
            my $sum = "cd $dir && find . -path ./project/out -prune -o -type f -print0 | sort -z | xargs -0 sha256sum";
            my $before = `$sum`;
            my $checked = run({ %$user, seconds => 60 }, $sbxc, '--check', '--no-proof', '--deny-warnings',
                "$dir/p.sbx");
            is $checked->{status}, 0, "$user->{name}: $name: nothing to say about its policy" or diag $checked->{err};
            my $run = run({ %$user, cwd => $dir, seconds => patience(180) }, $sbxrun, 'p.sbx', '--', 'sh', '-ec',
                $script);
            ok $run->{status} == 0 && $run->{out} =~ $expected,
                "$user->{name}: $name" or diag "$run->{status}\n$run->{out}$run->{err}";
            is `$sum`, $before, "$user->{name}: $name: nothing else is written";
        }
    }
}
stop_servers();
done_testing;
