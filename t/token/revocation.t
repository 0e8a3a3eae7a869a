# What a watched list names is refused from the next request on, in every worker, whatever was
# verified before; a list that is bad changes nothing.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Mesh::Config;
use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Forge;
use Test::Mesh::Load qw(each_worker statuses);
use Test::Mesh::Response;
use Test::Mesh::Rewrite;
use Test::Mesh::Server;
use Test::Mesh::Wait;

my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;
my $user = $> == 0 ? 'nobody nogroup' : undef;

my $conf = <<'CONF';
include %%KEYS%%/issuers.conf;
mesh_revocation %%DIR%%/revoked.json;
mesh_log_level notice;
server {
    listen 127.0.0.1:%%PORT%%;
    add_header X-Worker $pid always;
    add_header Reason $mesh_reason always;
    location = /t { mesh_authenticate token; empty_gif; }
    location = /any { mesh_authenticate any; empty_gif; }
    location = /status { mesh_status; }
    location = /dry { mesh_authenticate token; mesh_dry_run all; empty_gif; }
}
CONF

my %token = (
    a => bearer(claims => { jti => 'a', sid => 'session-1' }),
    b => bearer(claims => { jti => 'b', sid => 'session-2' }, subject => 'etl'),
    c => bearer(key => 'rs256', claims => { jti => 'c' }, subject => 'nightly'),
    other => bearer(key => 'other', claims => { jti => 'a' }),
);

subtest 'each kind, in every worker, for tokens that were verified before' => sub {
    my $server = start_settled($dir, list(), workers => 2);
    my @workers = $server->worker_pids;
    my $clients = each_worker($server, '/t');
    is statuses_by_name($clients), 'a:200,200 b:200,200 c:200,200 other:200,200', 'an empty list revokes nothing';
    my $now = time;
    # Each is answered otherwise than the one before.
    my @steps = (
        ['jti' => [{ jti => 'a' }], 'a other'],
        ['jti of one issuer' => [{ jti => 'a', issuer => 'other' }], 'other'],
        ['sub' => [{ sub => 'etl' }], 'b'],
        ['sub, issued up to now' => [{ sub => 'nightly', before => int $now + 60 }], 'c'],
        ['sub, issued up to long ago' => [{ sub => 'nightly', before => '2020-01-01T00:00:00Z' }], ''],
        ['sid' => [{ sid => 'session-1' }], 'a'],
        ['kid' => [{ kid => 'es256' }], 'a b'],
        ['kid of one issuer' => [{ kid => 'es256', issuer => 'other' }], ''],
        ['until later' => [{ jti => 'a', issuer => 'idp', until => int $now + 3600, note => 'stolen' }], 'a'],
        ['not any more' => [{ jti => 'a', until => '2020-01-01T00:00:00Z' }], ''],
        ['several' => [{ jti => 'b' }, { kid => 'rs256', issuer => 'idp' }, { sub => 'nobody' }], 'b c'],
        ['nothing' => [], ''],
    );
    for my $step (@steps) {
        my ($name, $entries, $refused) = @$step;
        my %refused = map { $_ => 1 } split ' ', $refused;
        my $expected = join ' ', map { my $status = $refused{$_} ? 401 : 200; "$_:$status,$status" } sort keys %token;
        replace("$dir/revoked.json", list(@$entries));
        my $began = time;
        are_soon($clients, $expected, $name);
        note sprintf '%s: %.2f s', $name, time - $began;
    }
    is join(' ', sort $server->worker_pids), join(' ', sort @workers), 'by the same workers';
    my $told;
    $server->await('the last message', sub {
        $told = () = $server->error_log =~ /\[notice\].*revoked\.json" reloaded: \d+ entries of mesh_revocation/g;
        $told >= @steps;
    });
    is $told, scalar @steps, 'each change is told once';
    is index($server->error_log, 'session-1'), -1, 'and nothing of a list';
    $server->stop;
};

subtest 'after the first refusal in a worker, it admits no more' => sub {
    my $server = start_settled($dir, list(), workers => 2);
    my $clients = each_worker($server, '/t');
    is statuses_by_name($clients, 'a'), 'a:200,200', 'verified in both';
    replace("$dir/revoked.json", list({ jti => 'a' }));
    my $began = time;
    my (%first, %after);
    while (time - $began < 120 && grep { !$first{$_} || $first{$_} > time - 0.5 } keys %$clients) {
        for my $worker (keys %$clients) {
            my $status = $clients->{$worker}[0]->request('GET', '/t', headers => [$token{a}])->{status};
            $first{$worker} //= time if $status == 401;
            $after{$worker}++ if $first{$worker} && $status != 401;
        }
        sleep 0.01;
    }
    is keys %first, 2, 'both workers refuse it';
    is_deeply \%after, {}, 'and none admits it again';
    # Promised is 1 s; how long a machine takes that does something else, nobody knows.
    note join ' ', map { sprintf '%.2f s', $first{$_} - $began } keys %first;
    $server->stop;
};

subtest 'what the client is told' => sub {
    my $server = start_settled($dir, list({ jti => 'a' }));
    my $response = $server->get('/t', $token{a});
    is verdict($response), '401 token_revoked', 'status and reason';
    like $response->{headers}{'www-authenticate'},
        qr/\ABearer realm="mesh", error="invalid_token", error_description="the token has been revoked"/, 'challenge';
    is verdict($server->get('/any', $token{a})), '401 token_revoked', 'also where one credential would do';
    is verdict($server->get('/dry', $token{a})), '200 token_revoked', 'a dry run notes it';
    like $server->error_log, qr/mesh refuses, reason: token_revoked/, 'the log tells it';
    like $server->get('/status')->{body}, qr/"revocations":\{"known":true,"entries":1\}/, 'and the status counts the list';
    $server->stop;
};

subtest 'however the file is written' => sub {
    my $server = start_settled($dir, list(), workers => 2);
    my $clients = each_worker($server, '/t');
    for my $way ('in place', 'in two pieces', 'renamed over', 'deleted and made again') {
        $REWRITES{$way}->("$dir/revoked.json", list({ jti => 'a' }));
        are_soon($clients, 'a:401,401 b:200,200', "$way: revoked");
        $REWRITES{$way}->("$dir/revoked.json", list({ jti => 'b' }));
        are_soon($clients, 'a:200,200 b:401,401', "$way: another one instead");
    }
    $server->stop;

    my $volume = "$dir/volume";
    mkdir $volume;
    my $swap = sub (@entries) { $REWRITES{'Kubernetes volume'}->("$volume/revoked.json", list(@entries)) };
    $swap->();
    sleep 0.2;
    $server = start_in($volume, workers => 2);
    $clients = each_worker($server, '/t');
    is statuses_by_name($clients, 'a'), 'a:200,200', 'Kubernetes volume: nothing is revoked';
    $swap->({ jti => 'a' });
    are_soon($clients, 'a:401,401', 'Kubernetes volume: revoked');
    $swap->();
    are_soon($clients, 'a:200,200', 'Kubernetes volume: not any more');
    $server->stop;
};

subtest 'a bad version changes nothing' => sub {
    my $server = start_settled($dir, list({ jti => 'a' }), workers => 2);
    my $clients = each_worker($server, '/t');
    my @bad = (
        ['', 'file is empty'],
        ['{"version":1', 'invalid JSON at line 1 column 12'],
        ['{"version":1,"revoked":[]', 'invalid JSON at line 1 column 25'],
        [qq({"version":1,\n"revoked":[{"jtj":"b"}]}), 'unknown member at line 2 column 17'],
        [list({ jti => 'b', issuer => 'nobody' }), 'no mesh_issuer of that name at line 1 column '],
        ['{"version":1,"revoked":[],"revoked":[]}', 'duplicate member at line 1 column 35'],
        ['{"version":1,"revoked":[]}' . ' ' x (8 << 20), 'file is larger than 8388608 bytes'],
        [undef, 'No such file'],
    );
    for my $bad (@bad) {
        my ($text, $message) = @$bad;
        defined $text ? replace("$dir/revoked.json", $text) : unlink "$dir/revoked.json";
        $server->await_log(qr/\[error\].*\Q$message\E.* while reloading ".*revoked\.json", the last good version stays/);
        is statuses_by_name($clients, 'a', 'b'), 'a:401,401 b:200,200', "$message: the last good list stays";
    }
    replace("$dir/revoked.json", list({ jti => 'b' }));
    are_soon($clients, 'a:200,200 b:401,401', 'until a good one comes');
    $server->await_log(qr/\[notice\].*"\S+revoked\.json" is good again: 1 entries/);
    $server->stop;
};

subtest 'a reload' => sub {
    my $server = start_settled($dir, list({ jti => 'a' }));
    is verdict($server->get('/t', $token{a})), '401 token_revoked', 'before';
    $server->reload;
    is verdict($server->get('/t', $token{a})), '401 token_revoked', 'kept over it';
    replace("$dir/revoked.json", '{');
    $server->expect_log(qr/revoked\.json/);
    $server->signal('HUP');
    $server->await_log(qr/\[emerg\].*mesh_revocation file ".*revoked\.json": invalid JSON at line 1 column 1/);
    is verdict($server->get('/t', $token{a})), '401 token_revoked', 'one that fails leaves the last good list';
    is verdict($server->get('/t', $token{b})), '200', 'and nothing else';
    replace("$dir/revoked.json", list({ jti => 'b' }));
    $server->reload;
    is verdict($server->get('/t', $token{b})), '401 token_revoked', 'the next one has the new list';
    is verdict($server->get('/t', $token{a})), '200', 'and no longer the old one';
    my $without = $conf =~ s/^mesh_revocation.*\n//mr;
    $server->reload($without);
    is verdict($server->get('/t', $token{b})), '200', 'without the directive nothing is revoked';
    $server->stop;
};

subtest 'a worker that replaces a dead one' => sub {
    my $server = start_settled($dir, list(), expected => [qr/exited on signal 9/]);
    my $next = sub {
        my ($worker) = $server->worker_pids;
        $server->signal('KILL', $worker);
        $server->await('another worker', sub { ($server->worker_pids)[0] // $worker != $worker });
    };
    is verdict($server->get('/t', $token{a})), '200', 'nothing is revoked';
    # Nobody has looked at the file since.
    replace("$dir/revoked.json", list({ jti => 'a' }));
    $next->();
    is verdict($server->get('/t', $token{a})), '401 token_revoked', 'has the newest list at its first request';
    # The master has the list of the last reload, which says nothing of token a.
    replace("$dir/revoked.json", '{');
    $next->();
    is verdict($server->get('/t', $token{$_})), '503 revocations_unavailable', "believes no token while the list is bad: $_"
        for qw(a b other);
    like $server->error_log, qr/\[error\].*revoked\.json" is not usable at the start of a worker/, 'and says so';
    is $server->get('/t', 'Authorization: Bearer x')->{status}, 401, 'what is no token is none';
    replace("$dir/revoked.json", list({ jti => 'a' }));
    $server->await('the list', sub { $server->get('/t', $token{b})->{status} == 200 });
    is verdict($server->get('/t', $token{a})), '401 token_revoked', 'until it is good again';
    $server->stop;
};

subtest 'lists that are refused at the start' => sub {
    my %wrong = (
        'an empty file' => ['', 'file is empty'],
        'no JSON' => ["\n  revoked", 'invalid JSON at line 2 column 3'],
        'a misspelt member' => [qq({"version":1,"revoked":[\n  {"jit":"a"}]}), 'unknown member at line 2 column 8'],
        'a member twice' => ['{"version":1,"version":1}', 'duplicate member at line 1 column 22'],
        'another version' => ['{"version":2,"revoked":[]}', '"version" is not 1 at line 1 column 12'],
        'no list' => ['{"version":1}', '"revoked" is missing at line 1 column 13'],
        'a bare list' => ['[]', 'not an object at line 1 column'],
        'an entry with two names' => [list({ jti => 'a', sub => 'b' }), 'entry with more than one of "jti", "sub", "sid", "kid"'],
        'an entry without a name' => [list({ issuer => 'idp' }), 'entry with none of "jti", "sub", "sid", "kid"'],
        'an issuer that is not there' => [list({ jti => 'a', issuer => 'Idp' }), 'no mesh_issuer of that name'],
        'before without sub' => [list({ jti => 'a', before => 1 }), '"before" without "sub"'],
        'milliseconds' => [list({ sub => 'a', before => 1764144000000 }), 'time before 1970 or after 9999'],
    );
    for my $name (sort keys %wrong) {
        my ($text, $message) = $wrong{$name}->@*;
        spew("$dir/wrong.json", $text);
        config_refused("include %%KEYS%%/issuers.conf; mesh_revocation $dir/wrong.json;",
            qr/\[emerg\].*mesh_revocation file "\Q$dir\E\/wrong\.json": \Q$message\E/, $name);
    }
    config_refused("mesh_revocation $dir/none.json;", qr/mesh_revocation file ".*none\.json": .*No such file/, 'no file');
    config_refused("mesh_revocation $dir;", qr/mesh_revocation file ".*": not a regular file/, 'a directory');
    spew("$dir/wrong.json", list());
    config_accepted("mesh_revocation $dir/wrong.json;", 'an empty list is good, without an issuer too');
    my $named = list({ jti => 'a', issuer => 'idp' });
    spew("$dir/wrong.json", $named);
    config_accepted("mesh_revocation $dir/wrong.json; include %%KEYS%%/issuers.conf;",
        'an issuer may come after the directive');
    refused_at(qq(mesh_revocation ""; # here\n), q(mesh_revocation: the file's name is empty));
    refused_at("mesh_revocation a b; # here\n", 'invalid number of arguments in "mesh_revocation"');
    refused_at("mesh_revocation a;\nmesh_revocation a; # here\n", 'mesh_revocation: is duplicate');
    refused_at("server {\nmesh_revocation a; # here\n}\n", '"mesh_revocation" directive is not allowed here');
};

done_testing;

sub list (@entries) { return json({ version => 1, revoked => \@entries }) }

# A server whose list has settled, so that nobody reads it again.
sub start_settled ($in, $text, %options) {
    replace("$in/revoked.json", $text);
    sleep 0.2;
    return start_in($in, %options);
}

sub start_in ($in, %options) {
    return Test::Mesh::Server->start($conf =~ s/%%DIR%%/$in/gr, user => $user, %options);
}

# What the workers answer to tokens, by name.
sub statuses_by_name ($clients, @names) {
    @names = sort keys %token if !@names;
    return join ' ', map { "$_:" . statuses($clients, '/t', $token{$_}) =~ tr/ /,/r } @names;
}

sub are_soon ($clients, $expected, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @names = $expected =~ /(\w+):/g;
    return is_soon(sub { statuses_by_name($clients, @names) }, $expected, $name);
}
