# A subrequest never waits for an issuer: its token is asked about, and refused until the answer is
# there.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Introspector;
use Test::Mesh::Server;

my $dir = tempdir('subrequest-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
spew("$dir/secret", "secret\n");
my $issuer = Test::Mesh::Introspector->start;
my $server = Test::Mesh::Server->start(<<"CONF" . <<'CONF');
mesh_issuer idp {
    issuer https://idp.example;
    audience mesh;
    introspection @{[$issuer->url]};
    introspection_client gateway secret=$dir/secret;
    introspection_timeout 60s;
}
CONF
server {
    listen 127.0.0.1:%%PORT%%;
    add_header Reason $mesh_reason always;
    location = /open { ssi on; default_type text/html; alias %%ROOT%%/page.html; }
    location = /asked { auth_request /part; empty_gif; }
    location = /waits { mesh_authenticate token; empty_gif; }
    location = /waits-and-includes { mesh_authenticate token; ssi on; default_type text/html; alias %%ROOT%%/page.html; }
    location = /part { mesh_authenticate token; mesh_log_level warn; ssi on; default_type text/html; alias %%ROOT%%/part.html; }
    location = /guessed { ssi on; default_type text/html; alias %%ROOT%%/guess.html; }
    location = /part-guessed { mesh_authenticate token; mesh_failure_limit rate=1r/m burst=4; ssi on; default_type text/html; alias %%ROOT%%/part.html; }
}
CONF
spew($server->root . '/page.html', '<!--# include virtual="/part" -->|<!--# include virtual="/part" -->');
spew($server->root . '/guess.html', '<!--# include virtual="/part-guessed" -->|<!--# include virtual="/part-guessed" -->');
spew($server->root . '/part.html', '<!--# echo var="mesh_decision" --> <!--# echo var="mesh_service" -->');

my $number = 0;

sub included_by ($target, $token) {
    my $response = $server->get($target, bearer_of($token));
    return join ', ', map { /<title>(\d+)/ ? $1 : $_ } split /\|/, $response->{body};
}

# Asks again until there is another answer than that one.
sub parts_after ($first, $target, $token) {
    my $parts;
    $server->await("another answer than $first", sub { ($parts = included_by($target, $token)) ne $first });
    return $parts;
}

$issuer->mode('hold');
my $token = fresh();
is included_by('/open', $token), '503, 503', 'an unknown token';
is $server->get('/asked', bearer_of($token))->{status}, 500, '... is nothing that auth_request knows';
$issuer->await_questions(1);
is included_by('/open', $token), '503, 503', '... while nobody answers';
$issuer->mode('normal');
is parts_after('503, 503', '/open', $token), "allowed $token, allowed $token", '... until its issuer has answered';
is $issuer->counts->{$token}, 1, '... to one question';
is $server->get('/asked', bearer_of($token))->{status}, 200, '... and then it is known';

$token = fresh('inactive');
is included_by('/open', $token), '503, 503', 'a bad one';
is parts_after('503, 503', '/open', $token), '401, 401', '... is refused when that is known';
$token = fresh();
is included_by('/waits-and-includes', $token), "allowed $token, allowed $token", 'who has waited includes at once';

# A guess owes once, whatever number of subrequests it goes through, also if nobody sees the answer.
for (1 .. 5) {
    my $guess = fresh('inactive');
    is included_by('/guessed', $guess), '503, 503', "guess $_";
    # Where failures are not limited, the answer is waited for.
    is $server->get('/waits', bearer_of($guess))->{headers}{reason}, 'token_inactive', '... is wrong';
}
my $guess = fresh('inactive');
is included_by('/guessed', $guess), '429, 429', 'the next one is refused';
is $issuer->counts->{$guess}, undef, '... and not even asked about';

$server->stop;
done_testing;
