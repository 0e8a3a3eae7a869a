package Test::Mesh::Credentials;

use v5.36;

use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use JSON::PP ();

use Test::Mesh::File;
use Test::Mesh::Process qw(output_of);

our @EXPORT = qw(bearer bearer_of bound dpop key_path keys_dir meshctl meshctl_path new_keys project_dir proof tls token x5t);

# The signing keys, and the key set that each is published in.
my %KEYS = (
    es256 => { alg => 'ES256', set => 'idp' },
    rs256 => { alg => 'RS256', set => 'idp' },
    eddsa => { alg => 'EdDSA', set => 'idp' },
    other => { alg => 'ES256', set => 'other' },
    # What clients prove possession of; no issuer signs with them.
    client => { alg => 'ES256', set => 'clients' },
    stranger => { alg => 'ES256', set => 'clients' },
);

my $project = abs_path(dirname(__FILE__) . '/../../../..');
my $keys_dir;
my %minted;

sub project_dir () { return $project }

# The directory with all keys; made once a day for all tests, so never written to by a test.
sub keys_dir () {
    return $keys_dir //= $ENV{MESH_TEST_KEYS} // make_keys();
}

sub key_path ($file) {
    my $path = keys_dir() . "/$file";
    die "no such file among the test keys: $file\n" unless -e $path;
    return $path;
}

# The x5t#S256 of a certificate of t/bin/certificates, by name.
sub x5t ($name) { return slurp(key_path("$name.x5t")) }

# What a client of TLS needs: the authority, and a certificate by name with its key, unless that is
# `none` or undef.
sub tls ($name = undef, %more) {
    my %certificate = ($name // 'none') ne 'none' ? (cert => key_path("$name.pem"), key => key_path("$name.key")) : ();
    return { ca => key_path('ca.pem'), %certificate, %more };
}

sub meshctl_path () { return $ENV{MESHCTL} // "$project/build/meshctl" }

# Runs meshctl, and returns what it prints.
sub meshctl (@arguments) { return output_of(meshctl_path(), @arguments) }

# Makes ES256 keys in a directory of the test: NAME.jwk, and NAME.set with its public half alone.
sub new_keys ($directory, @names) {
    meshctl('key', 'generate', '--alg', 'ES256', '--kid', $_, '--out', "$directory/$_.jwk", '--jwks', "$directory/$_.set")
        for @names;
    return;
}

# Mints a token; the options are those of `meshctl token mint`, undef takes a default away.
sub token (%options) {
    my $key = $options{key} // 'es256';
    %options = (
        issuer => $key eq 'other' ? 'https://other.example' : 'https://idp.example',
        audience => 'mesh',
        subject => 'orders-api',
        %options,
        key => $key =~ m{/} ? $key : key_path("$key.jwk"),
    );
    my @arguments;
    for my $name (sort keys %options) {
        my $value = $options{$name} // next;
        my @values = ref $value eq 'ARRAY' ? @$value : $value;
        my $option = '--' . $name =~ tr/_/-/r;
        push @arguments, map { $option, ref ? JSON::PP->new->canonical->encode($_) : $_ } @values;
    }
    my $token = $minted{ join "\0", @arguments } //= meshctl('token', 'mint', @arguments);
    return $token =~ s/\s+\z//r;
}

# The header line that carries a token.
sub bearer_of ($token) { return "Authorization: Bearer $token" }

# The header line that carries a minted one.
sub bearer (%options) { return bearer_of(token(%options)) }

# A token that is bound to the key of a client.
sub bound (%options) { return token(jkt_of => key_path('client.jwk'), %options) }

# A proof for a request by a token: the options are those of `meshctl token prove`, and `token`.
sub proof (%options) {
    my $token = delete $options{token} // bound();
    %options = (url => 'http://localhost/', %options);
    my $key = delete $options{key} // 'client';
    my @arguments = map { '--' . tr/_/-/r, $options{$_} } grep { defined $options{$_} } sort keys %options;
    return meshctl('token', 'prove', '--key', $key =~ m{/} ? $key : key_path("$key.jwk"), @arguments, $token)
        =~ s/\s+\z//r;
}

# The header lines that carry a token and its proof.
sub dpop (%options) {
    my $token = $options{token} //= bound();
    return ("Authorization: DPoP $token", 'DPoP: ' . proof(%options));
}

# Makes the keys beside those of other days, which it clears away.
sub make_keys () {
    my $parent = "$project/build/t";
    make_path($parent);
    my @parts = map { join ' ', $_, (stat)[7, 9] } __FILE__, meshctl_path(), "$project/t/bin/certificates";
    my $directory = "$parent/keys-" . substr sha256_hex(join "\n", @parts, int(time / 86400)), 0, 16;
    return $directory if -d $directory;

    my $new = tempdir('new-XXXXXXXX', DIR => $parent, CLEANUP => 1);
    chmod 0755, $new;
    output_of("$project/t/bin/certificates", $new);
    for my $name (sort keys %KEYS) {
        my ($alg, $set) = $KEYS{$name}->@{qw(alg set)};
        meshctl('key', 'generate', '--alg', $alg, '--kid', $name,
            '--out', "$new/$name.jwk", '--jwks', "$new/$set.jwks");
    }
    spew("$new/issuers.conf", issuers($directory));
    # Whoever comes second, uses what the first one made.
    rename $new, $directory or -d $directory or die "rename $new: $!\n";
    remove_tree(grep { -M > 2 } glob "$parent/keys-*");
    return $directory;
}

# Two issuers that trust nothing of each other.
sub issuers ($directory) {
    return <<"END";
mesh_issuer idp {
    issuer https://idp.example;
    audience mesh;
    jwks $directory/idp.jwks;
    groups_claim /groups;
}
mesh_issuer other {
    issuer https://other.example;
    audience mesh;
    jwks $directory/other.jwks;
}
END
}

1;

__END__

=head1 NAME

Test::Mesh::Credentials - the keys, certificates and tokens of the tests

=head1 SYNOPSIS

    token()                                         # from https://idp.example for "mesh"
    token(subject => 'etl', claims => { groups => ['data-eng'] })
    token(key => 'rs256', expires => '-1h')         # expired
    token(audience => undef)                        # none
    token(audience => ['mesh', 'kafka'])            # a list
    token(key => 'other')                           # from https://other.example
    token(thumbprint_of => key_path('spiffe.pem'))  # bound to a certificate
    bearer(...)                                     # "Authorization: Bearer TOKEN"
    bearer_of('opaque')                             # the same for any token
    tls('spiffe')                                   # the authority, that certificate and its key
    bound()                                         # bound to the key client.jwk
    proof(token => bound(), method => 'POST', url => 'http://localhost/a', nonce => 'N')
    dpop(url => 'http://localhost/a')               # both header lines, for one request
    meshctl('token', 'verify', ...)

=head1 DESCRIPTION

C<keys_dir> holds, to be read and never written:

=over

=item the certificates of F<t/bin/certificates>: NAME.pem, NAME.key, NAME.x5t

=item es256.jwk, rs256.jwk, eddsa.jwk, whose public halves are F<idp.jwks>; other.jwk of F<other.jwks>

=item client.jwk and stranger.jwk, which tokens are bound to and no issuer signs with

=item F<issuers.conf>: C<mesh_issuer idp> (https://idp.example, audience C<mesh>) and
C<mesh_issuer other> (https://other.example)

=back

A test that changes a key set makes its own: C<new_keys($directory, 'a', 'b')> leaves F<a.jwk>,
F<a.set>, F<b.jwk> and F<b.set> there, of which each set has one public key.

The options of C<token> are those of C<meshctl token mint>, with C<_> for C<->; a hash is written
as JSON, undef takes the default away. A token is minted once in a run for the same options, a proof
anew each time. Those of C<proof> and C<dpop> are those of C<meshctl token prove>, with the C<token>
and the name of the C<key>.
Environment: C<MESHCTL> names another meshctl, C<MESH_TEST_KEYS> another directory.

=cut
