#!/usr/bin/perl
# Playwright with the distribution's Chromium: it starts the browser, clicks on a page that a server in the sandbox has,
# and keeps a picture of it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

my $npm = "$build/playwright";
plan skip_all => 'playwright-core is not here' unless -e "$npm/.complete";
plan skip_all => 'chromium is not installed' unless -x '/usr/bin/chromium';

for my $user (users()) {
    my $name = $user->{name};
    my $dir = folder();
    mkdir "$dir/w";
    system('cp', '-r', "$npm/node_modules", "$dir/npm") == 0 or die 'cp';
    spew("$dir/p.sbx", <<'P');
sbx 1;
import std.node;
import std.browser;
policy p {
    use std.node;
    use std.browser;
    fs { allow read "/npm" from "./npm"; allow read, write "/w" from "./w"; }
    process { cwd "/w"; }
}
P
    spew("$dir/w/code.js", <<'J');
const { chromium } = require('/npm/playwright-core');
const page = '<title>a page</title><button onclick="this.textContent = 6 * 7">go</button>';
const server = require('http').createServer((question, answer) => answer.end(page));
server.listen(0, 'localhost', async () => {
    const browser = await chromium.launch({ executablePath: '/usr/bin/chromium' });
    const page = await browser.newPage();
    await page.goto(`http://localhost:${server.address().port}/`);
    await page.click('button');
    console.log(await page.title(), await page.textContent('button'));
    await page.screenshot({ path: 'picture.png' });
    await browser.close();
    server.close();
});
J
    owned($user, "$dir/w");
    my $run = in_sandbox($user, $dir, { seconds => 120 }, 'node', 'code.js');
    is $run->{out}, "a page 42\n", "$name: it clicks" or diag $run->{err};
    like -e "$dir/w/picture.png" && slurp("$dir/w/picture.png"), qr/^\x89PNG/, "$name: and keeps a picture";
}
done_testing;
