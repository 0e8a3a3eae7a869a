# Opaque tokens of a real provider, which alone can say what they are worth (RFC 7662, RFC 9701).

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use IO::Select;
use JSON::PP ();
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::ManualTable;
use Test::Mesh::Provider;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $directory = tempdir('e2e-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $directory;
meshctl('key', 'generate', '--alg', 'ES256', '--kid', 'gateway', '--out', "$directory/gateway.jwk", '--jwks',
    "$directory/gateway.jwks");
spew("$directory/secret", Test::Mesh::Provider::secret('gateway') . "\n");

my $upstream = Test::Mesh::Upstream->start;
my $provider = Test::Mesh::Provider->start;
$provider->tell('clients', jwks => JSON::PP::decode_json(slurp("$directory/gateway.jwks")));
# Of the first the answers are plain, of the second they are signed.
my %site = (plain => $provider, signed => $provider->another('es256'));
my %issuer = map { $_ => $site{$_}->issuer } keys %site;

my $server = Test::Mesh::Server->start(<<"END" . <<'CONF' =~ s/UPSTREAM/$upstream->url/ger);
mesh_issuer plain {
    issuer $issuer{plain};
    audience mesh;
    service_claim /client_id;
    trusted_certificate %%KEYS%%/ca.pem;
    introspection $issuer{plain}/token/introspection;
    introspection_client gateway secret=$directory/secret;
    introspection_cache 2s;
    introspection_negative 1s;
    leeway 0s;
}
mesh_issuer signed {
    issuer $issuer{signed};
    audience mesh;
    service_claim /client_id;
    jwks $issuer{signed}/jwks;
    trusted_certificate %%KEYS%%/ca.pem;
    introspection $issuer{signed}/token/introspection;
    introspection_client gateway-jwt key=$directory/gateway.jwk;
    introspection_signed on;
    introspection_cache 2s;
}
END
mesh_log_level info;
server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS%%
    ssl_verify_client optional;
    add_header Reason $mesh_reason always;
    location /plain { mesh_authenticate token; mesh_accept plain; proxy_pass UPSTREAM; }
    location /signed { mesh_authenticate token; mesh_accept signed; proxy_pass UPSTREAM; }
    location /off { empty_gif; }
}
CONF

# The verdict on a token, and the service that upstream learns.
sub outcome_at ($which, $token, %options) {
    my $response = $server->request('GET', "/$which", headers => [bearer_of($token)], %options);
    my $is_polite = $response->{status} != 503 || $response->{headers}{'retry-after'};
    return outcome($response) . ($is_polite ? '' : ' without Retry-After');
}

sub questions_to ($which) { return grep { $_->{url} =~ /introspection/ } $site{$which}->requests }

# How much of the log was looked at.
my $told = 0;

# The keys are there before the first answer needs them.
$server->await_log(qr/mesh_issuer "signed": \d+ keys/);

for my $which ('plain', 'signed') {
    subtest "answers that are $which" => sub {
        my $token = $site{$which}->token;
        questions_to($which);
        is outcome_at($which, $token), '200 orders-api', 'a token is admitted';
        is outcome_at($which, $token), '200 orders-api', '... again' for 1 .. 20;
        my @questions = questions_to($which);
        cmp_ok scalar @questions, '<', 5, 'and not asked about each time';
        is $questions[0]{method}, 'POST', 'the question is no URL';

        is outcome_at($which, 'x' x 43), '401 token_inactive', 'a token that nobody gave is refused';
        is outcome_at($which, $site{$which}->token(audience => 'elsewhere')), '401 audience_refused', 'one for another audience';
        my $foreign = $site{ $which eq 'plain' ? 'signed' : 'plain' };
        is outcome_at($which, $foreign->token(alg => 'ES256')), '401 issuer_refused', 'a signed one of another issuer';

        my $form = { token => $token };
        my $revoked = $site{$which}->request('POST', '/token/revocation', form => $form,
            headers => [Test::Mesh::Provider::secret_basic('orders-api')]);
        is $revoked->{status}, 200, 'the provider revokes a token';
        $server->await('refusal', sub () { outcome_at($which, $token) eq '401 token_inactive' });
        pass '... and it is refused within introspection_cache';
    };
}

subtest 'a token expires while its answer is remembered' => sub {
    my $token = $provider->token(ttl => 2);
    is outcome_at('plain', $token), '200 orders-api', 'until then it is admitted';
    $server->await('refusal', sub () { outcome_at('plain', $token) =~ /\A401 (?:token_expired|token_inactive)\z/ });
    pass 'and then refused';
};

subtest 'a token that is bound to a certificate' => sub {
    my $token = $provider->token(client => 'payments');
    my $tls = sub ($name) {
        return (port => 'tls', tls => tls($name));
    };
    is outcome_at('plain', $token, $tls->('spiffe')), '200 payments', 'with it';
    is outcome_at('plain', $token, $tls->('dns')), '401 binding_mismatch', 'with another one';
    is outcome_at('plain', $token), '401 binding_mismatch', 'without';
};

my $table = Test::Mesh::ManualTable->under('When an issuer cannot be asked about a token');
for my $row (grep { ($table->cell($_, 'clients see')) eq 'nothing, then 503' } $table->names) {
    $table->row($row, sub {
        my ($known, $new) = map { $provider->token } 1 .. 2;
        is outcome_at('plain', $known), '200 orders-api', 'a token before';
        $provider->fault($row);
        is outcome_at('plain', $new), '503 introspection_unavailable', 'a token that is not known is refused for now';
        $server->await('refusal', sub () { outcome_at('plain', $known) eq '503 introspection_unavailable' });
        pass 'and one that is known, when its answer has become old';
        is outcome_at('signed', $site{signed}->token), '200 orders-api', 'another issuer knows nothing of it';
        is_told($row, $new);
        $provider->fault(undef);
        $server->await('end', sub () { outcome_at('plain', $new) eq '200 orders-api' });
        pass 'and it ends with the fault';
    });
}

$table->row('no answer', sub {
    my $token = $provider->token;
    $provider->fault('no answer');
    my $waiting = $server->connect;
    $waiting->send("GET /plain HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer $token\r\n\r\n");
    is $server->get('/off')->{status}, 200, 'the worker answers others' for 1 .. 20;
    is outcome_at('signed', $site{signed}->token), '200 orders-api', 'and asks about tokens of others';
    ok !IO::Select->new($waiting->socket)->can_read(0), 'before the one that waits';
    is verdict($waiting->response), '503 introspection_unavailable', 'which is refused in the end';
    $waiting->close;
    is_told('no answer', $token);
    $provider->fault(undef);
});

$table->row('slow answer', sub {
    my $token = $provider->token;
    $provider->fault('slow answer');
    is outcome_at('plain', $token), '200 orders-api', 'it is waited for';
    $provider->fault(undef);
});
$table->is_shown;

# The fault is told, though not while another was told a moment ago.
sub is_told ($row, $token) {
    my $text = $table->code($row, 'error log');
    my $line = qr/\[error\].*\Q$text\E.* while mesh_issuer "plain" is asked about a token/;
    my $from = $told;
    $server->await($text, sub () {
        outcome_at('plain', $token);
        return substr($server->error_log, $from) =~ $line;
    });
    $told = length $server->error_log;
    pass 'it is told';
    return;
}

$server->stop;
$provider->stop;
is $provider->stderr, '', 'the provider has nothing to complain of';
done_testing;
