# Issuers do not mix: a token counts by the keys and the rules of its own issuer alone.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use POSIX ();
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $directory = tempdir('issuers-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $directory;

# Four issuers, whose keys all have the same name.
my @ISSUERS = qw(a b c d);
my $blocks = '';
for my $issuer (@ISSUERS) {
    meshctl('key', 'generate', '--alg', 'ES256', '--kid', 'shared', '--out', "$directory/$issuer.jwk",
        '--jwks', "$directory/$issuer.jwks");
    $blocks .= "mesh_issuer $issuer { issuer https://$issuer.example; audience mesh; jwks $directory/$issuer.jwks;"
        . ($issuer eq 'd' ? ' service_claim /azp;' : '') . " }\n";
}

my $upstream = Test::Mesh::Upstream->start(processes => 4);
my $server = Test::Mesh::Server->start($blocks . <<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr, workers => 2);
server {
    listen 127.0.0.1:%%PORT%%;
    add_header Reason $mesh_reason always;
    add_header Identity "$mesh_issuer $mesh_service" always;
    mesh_authenticate token;
    location / { empty_gif; }
    location /upstream { proxy_pass %%UPSTREAM%%; }
    location /a { mesh_accept a; empty_gif; }
}
CONF

sub of ($issuer, %options) {
    return bearer(key => "$directory/$issuer.jwk", issuer => "https://$issuer.example", subject => "$issuer-service",
        claims => { azp => 'd-client' }, %options);
}

sub identity_of ($response) { return verdict($response) . ' | ' . ($response->{headers}{identity} // '') }

my %service = (map({ $_ => "$_-service" } @ISSUERS), d => 'd-client');

# Twice, so that the second time a token is known.
for my $time ('at first', 'again') {
    is identity_of($server->get('/', of($_))), "200 | $_ $service{$_}", "$_ signs for itself, $time" for @ISSUERS;
    for my $signer (@ISSUERS) {
        for my $claimed (grep { $_ ne $signer } @ISSUERS) {
            is verdict($server->get('/', of($signer, issuer => "https://$claimed.example"))), '401 signature_invalid',
                "$signer does not sign for $claimed, $time";
        }
    }
}
is verdict($server->get('/a', of('a'))), '200', 'where one is accepted';
is verdict($server->get('/a', of('b'))), '401 issuer_refused', '... the others are not';
is verdict($server->get('/', of('a', issuer => 'https://e.example'))), '401 issuer_refused', 'nor is one that nobody knows';

subtest 'at the same time' => sub {
    my %header = map { $_ => of($_) } @ISSUERS;
    my $forged = of('a', issuer => 'https://b.example');
    my $port = $server->port;
    my @clients;
    for my $number (0 .. 3) {
        my $pid = open(my $out, '-|') // die "fork: $!\n";
        if (!$pid) {
            my $client = Test::Mesh::Client->connect(port => $port);
            my $wrong = 0;
            for my $round (1 .. 50) {
                my @order = map { $ISSUERS[($number + $round + $_) % 4] } 0 .. 3;
                # All at once, of four issuers and a forger between them.
                $client->send(join '', map { "GET / HTTP/1.1\r\nHost: a\r\n$_\r\n\r\n" } map { ($header{$_}, $forged) } @order);
                for my $issuer (@order) {
                    $wrong++ if identity_of($client->response) ne "200 | $issuer $service{$issuer}";
                    $wrong++ if verdict($client->response) ne '401 signature_invalid';
                }
            }
            print "$wrong\n";
            close STDOUT;
            POSIX::_exit(0);
        }
        push @clients, $out;
    }
    chomp(my @wrong = map { scalar readline $_ } @clients);
    is_deeply \@wrong, [(0) x 4], 'nobody is taken for another, in 1600 requests of 4 clients';
    for my $issuer (@ISSUERS) {
        my $body = $server->get('/upstream', $header{$issuer})->{body};
        my @exported = $body =~ /^X-Mesh-(?:Issuer|Service): (.*)\r$/mg;
        is_deeply [sort @exported], [sort $issuer, $service{$issuer}], "upstream hears of $issuer alone";
    }
};

subtest 'one that breaks hurts no other' => sub {
    replace("$directory/a.jwks", 'garbage');
    $server->await_log(qr/(\[error\].*a\.jwks)/);
    is identity_of($server->get('/', of($_, subject => 'late'))) =~ s/ \S+\z//r, "200 | $_", "$_ goes on" for @ISSUERS;

    meshctl('key', 'generate', '--alg', 'ES256', '--kid', 'shared', '--out', "$directory/next.jwk", '--jwks', "$directory/next.jwks");
    replace("$directory/a.jwks", slurp("$directory/next.jwks"));
    my $next = of('a', key => "$directory/next.jwk");
    # Both workers, each by itself.
    for my $round (1 .. 2) {
        $server->await('the new keys', sub { !grep { verdict($server->get('/', $next)) ne '200' } 1 .. 8 });
    }
    is verdict($server->get('/', of('a'))), '401 signature_invalid', 'the old keys of a are gone';
    is verdict($server->get('/', of('b'))), '200', 'those of b are not';
};

$server->stop;
$upstream->stop;

done_testing;
