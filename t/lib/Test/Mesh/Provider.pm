package Test::Mesh::Provider;

use v5.36;

use Carp qw(croak);
use File::Temp qw(tempdir);
use JSON::PP ();
use MIME::Base64 qw(encode_base64);

use Test::Mesh::Client;
use Test::Mesh::Credentials qw(keys_dir meshctl project_dir tls);
use Test::Mesh::File;
use Test::Mesh::Process qw(end_child);
use Test::Mesh::Wait;

my $JSON = JSON::PP->new->canonical->utf8;

my %running;

# Starts the provider on a free port of 127.0.0.1, over TLS, with a key of each of its algorithms.
sub start ($class) {
    my $root = tempdir('provider-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $self = bless { root => $root, owner => $$, port => 0 }, $class;
    # Made here, where there is time for it, when they are not there yet.
    my $keys = keys_dir();
    my $packages = project_dir() . '/build/e2e';
    my ($node) = glob "$packages/node_modules/node-linux-*/bin/node";
    croak 'no provider is installed: see scripts/setup e2e' unless defined $node;

    pipe(my $in, my $commands) or croak "pipe: $!";
    pipe(my $answers, my $out) or croak "pipe: $!";
    my $pid = fork // croak "fork: $!";
    if (!$pid) {
        open STDIN, '<&', $in;
        open STDOUT, '>&', $out;
        open STDERR, '>', "$self->{root}/stderr";
        exec $node, project_dir() . '/t/e2e/provider.mjs', $packages, $keys or POSIX::_exit(127);
    }
    $commands->autoflush;
    $self->@{qw(pid commands answers)} = ($pid, $commands, $answers);
    $running{$pid} = $self;
    my $ready = $self->read_answer;
    $self->@{qw(port algorithms)} = $ready->@{qw(port algorithms)};
    return $self;
}

# Another provider in the same process, at another port: its issuer is another one. It publishes, and
# signs with, the keys of these names.
sub another ($self, @keys) {
    return bless { %$self, port => $self->tell('open', publish => \@keys) }, ref $self;
}

sub port ($self) { return $self->{port} }

# What its tokens have as `iss`, and where it is.
sub issuer ($self) { return "https://localhost:$self->{port}" }

# All that it can sign with.
sub algorithms ($self) { return $self->{algorithms}->@* }

# Sends a command of t/e2e/provider.mjs, and returns what it answers.
sub tell ($self, $name, %options) {
    local $SIG{PIPE} = 'IGNORE';
    $self->{commands}->print($JSON->encode([$self->{port}, $name, \%options]), "\n");
    my $answer = $self->read_answer;
    croak "$name: $answer->{error}" if defined $answer->{error};
    return $answer->{value};
}

# The key set that it publishes, as JSON.
sub jwks ($self) { return $JSON->encode($self->tell('jwks')) }

# Gets it wrong from now on; nothing is wrong with undef. See t/e2e/front.mjs. With `publish`, other keys
# are published where nobody can see them any more.
sub fault ($self, $name, %options) { return $self->tell('fault', name => $name, %options) }

# What the gateway has asked for since the last call: time, method, url, headers.
sub requests ($self) { return $self->tell('requests')->@* }

# Gets a token as a client would: by `client` (orders-api), from a resource with the algorithm `alg`
# or, without one, an opaque one; with an `audience` (mesh), a `ttl` (300 s).
sub token ($self, %options) {
    my $response = $self->ask_for_token(%options);
    croak "no token: $response->{status} $response->{body}" if $response->{status} != 200;
    return $JSON->decode($response->{body})->{access_token};
}

# A token by one of its keys, whichever signs now.
sub signed_by ($self, $key) {
    return $self->tell('sign', key => $key, header => { kid => $key, typ => 'at+jwt' }, claims => {
        iss => $self->issuer, aud => 'mesh', sub => 'orders-api', client_id => 'orders-api',
        iat => int time, exp => 600 + int time,
    });
}

sub ask_for_token ($self, %options) {
    my $client = $options{client} // 'orders-api';
    my $format = defined $options{alg} ? "jwt/$options{alg}" : 'opaque';
    my $query = join '&', map { "$_=$options{$_}" } grep { exists $options{$_} } qw(audience ttl);
    my %form = (
        grant_type => 'client_credentials',
        resource => "https://mesh.example/$format" . ($query && "?$query"),
        ($options{form} // {})->%*,
    );
    my @headers = ($options{headers} // [])->@*;
    my $certificate;
    if ($client eq 'etl') {
        $form{client_assertion_type} = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
        $form{client_assertion} //= $self->assertion(%options);
    }
    elsif ($client eq 'payments') {
        $form{client_id} = $client;
        $certificate = $options{certificate} // 'spiffe';
    }
    else {
        push @headers, secret_basic($client);
    }
    return $self->request('POST', '/token', headers => \@headers, form => \%form, certificate => $certificate);
}

# A client's assertion (RFC 7523), made by meshctl, of a client whose keys it was told.
sub assertion ($self, %options) {
    my $client = $options{client} // 'etl';
    my $assertion = meshctl('token', 'mint', '--key', $options{key}, '--issuer', $client,
        '--subject', $client, '--audience', $self->issuer, '--expires', '1m',
        '--claims', $JSON->encode({ jti => $self->tell('uuid') }));
    return $assertion =~ s/\s+\z//r;
}

# The header line of a client with a secret.
sub secret_basic ($client) {
    return 'Authorization: Basic ' . encode_base64("$client:" . secret($client), '');
}

sub secret ($client) { return "secret-of-$client-" . '0' x 32 }

# One request on a connection of its own.
sub request ($self, $method, $target, %options) {
    my $http = Test::Mesh::Client->connect(port => $self->{port}, tls => tls($options{certificate}));
    my @headers = ("Host: localhost:$self->{port}", 'Connection: close', ($options{headers} // [])->@*);
    my $body;
    if (my $form = $options{form}) {
        push @headers, 'Content-Type: application/x-www-form-urlencoded';
        $body = join '&', map { "$_=" . escaped($form->{$_}) } sort keys %$form;
    }
    my $response = $http->request($method, $target, headers => \@headers, body => $body);
    $http->close;
    return $response;
}

# Stops it by TERM: its input may be held open by processes that were forked since.
sub stop ($self) {
    return if $self->{owner} != $$ || !delete $running{ $self->{pid} };
    end_child($self->{pid}, 'TERM') or croak 'the provider does not stop';
    return;
}

sub read_answer ($self) {
    local $SIG{ALRM} = sub { croak "the provider says nothing within $PATIENCE s: " . $self->stderr };
    alarm $PATIENCE;
    my $line = readline $self->{answers};
    alarm 0;
    croak 'the provider has ended: ' . $self->stderr unless defined $line;
    return $JSON->decode($line);
}

# What it wrote of errors, warnings of its defaults aside.
sub stderr ($self) {
    return join '', grep { !/WARNING: a quick start/ } split /^/, slurp("$self->{root}/stderr", '');
}

sub escaped ($value) { return $value =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger }

END {
    my $status = $?;
    eval { $_->stop; 1 } or warn $@ for values %running;
    $? = $status;
}

1;

__END__

=head1 NAME

Test::Mesh::Provider - an OpenID provider that the project has not written

=head1 SYNOPSIS

    use Test::Mesh::Provider;

    my $provider = Test::Mesh::Provider->start;
    my $token = $provider->token(alg => 'ES256');                   # by client_secret_basic
    my $token = $provider->token(alg => 'PS384', client => 'etl', key => '/path/etl.jwk');
    my $token = $provider->token(alg => 'EdDSA', client => 'payments', certificate => 'spiffe');
    my $token = $provider->token;                                   # opaque

    $provider->tell('generate', new => 'ES256');
    $provider->tell('keys', publish => ['es256', 'new'], sign => ['new']);
    $provider->fault('half an answer');
    $provider->fault(undef);
    $provider->requests;                                            # what the gateway asked for
    my $other = $provider->another('es256');                        # stops with the first one

=head1 DESCRIPTION

The provider is the npm package C<oidc-provider>, certified by the OpenID Foundation, installed by
C<scripts/setup e2e>. It listens on 127.0.0.1, shows F<server.pem> of L<Test::Mesh::Credentials>, and
its issuer is C<https://localhost:PORT>. Its clients are C<orders-api> (a secret), C<etl>
(C<private_key_jwt>, by keys that the command C<clients> tells), C<payments> (by the certificate
F<spiffe.pem>, to which its tokens are bound), and C<gateway> and C<gateway-jwt>, which introspect.

Tokens of C<orders-api> and C<etl> are bound to a key when the headers have a C<DPoP> proof.

=cut
