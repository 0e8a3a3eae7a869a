# mesh_claim shows a claim as a variable, which is safe in a header whatever the issuer put there.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Forge;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr);
include %%KEYS%%/issuers.conf;
large_client_header_buffers 4 20k;
mesh_claim $value /value;
mesh_claim $mesh_claim_email /email;
mesh_claim $deep /a/b/0;
mesh_claim $escaped /https:~1~1a.example~1r~0s;
mesh_claim $subject /sub;
log_format claims escape=none '$uri [$value] [$mesh_claim_email]';
map $value $of_value { default none; pay "mapped $deep"; }
server {
    listen 127.0.0.1:%%PORT%%;
    access_log %%ROOT%%/logs/claims.log claims;
    add_header Reason $mesh_reason always;
    location / {
        mesh_authenticate token;
        proxy_set_header Claim "$value";
        proxy_set_header Email $mesh_claim_email;
        proxy_set_header Deep $deep;
        proxy_set_header Escaped $escaped;
        proxy_set_header Mapped $of_value;
        proxy_set_header After end;
        proxy_pass %%UPSTREAM%%;
    }
    location /off {
        proxy_set_header Claim $value;
        proxy_set_header Subject $subject;
        proxy_pass %%UPSTREAM%%;
    }
    location /dry {
        mesh_authenticate token;
        mesh_dry_run all;
        proxy_set_header Claim $value;
        proxy_set_header Subject $subject;
        proxy_pass %%UPSTREAM%%;
    }
}
CONF

# The header that arrived upstream, as a hash of lists.
sub seen_upstream ($target, @headers) {
    my $response = $server->get($target, @headers);
    return { status => $response->{status} } if !$response->{headers}{'x-upstream'};
    my %fields;
    for my $line (grep { length } split /\r\n/, $response->{body} =~ s/\A.*?\r\n//r) {
        my ($name, $value) = $line =~ /\A([^:]+): ?(.*)\z/s or die "not a header: $line";
        push $fields{ lc $name }->@*, $value;
    }
    return { map { $_ => join ' & ', $fields{$_}->@* } keys %fields };
}

sub claim (%claims) { return 'Authorization: Bearer ' . forged(claims => \%claims) }

my $true = JSON::PP::true();
my $null = JSON::PP::null();
my @values = (
    # claim, as a variable
    ['payments', 'payments'],
    ['two words, and "quotes"', 'two words, and "quotes"'],
    ['$host ${uri} {}', '$host ${uri} {}'],
    ["a\r\nX-Mesh-Service: admin", 'a%0D%0AX-Mesh-Service: admin'],
    ["a\nb", 'a%0Ab'],
    ["a\r\n\r\nGET /admin HTTP/1.1\r\n", 'a%0D%0A%0D%0AGET /admin HTTP/1.1%0D%0A'],
    ["\0", '%00'],
    ["\t\x1b[0m\x7f", '%09%1B[0m%7F'],
    ["Z\x{fc}rich", 'Z%C3%BCrich'],
    ["\x{1F600}", '%F0%9F%98%80'],
    ["\x{85}\x{2028}", '%C2%85%E2%80%A8'],
    ['100%', '100%25'],
    ['%0D%0A', '%250D%250A'],
    [' a ', '%20a%20'],
    [' ', '%20'],
    [7, '7'],
    [-1.5, '-1.5'],
    [$true, 'true'],
    [JSON::PP::false(), 'false'],
    [['a', 'b c'], '["a","b c"]'],
    [[], '[]'],
    [['a,b', '"', '\\'], '["a,b","\\"","\\\\"]'],
    [["\x{fc}", "\n"], '["%C3%BC","\\n"]'],
    [[1, $true, $null, { a => [] }], '[1,true,null,{"a":[]}]'],
    [{ id => 'x' }, '{"id":"x"}'],
    [{}, '{}'],
    ['x' x 6000, 'x' x 6000],
);
for (@values) {
    my ($value, $expected) = @$_;
    my $shown = json($value) =~ s/([^ -~])/sprintf '\\x%02x', ord $1/gre =~ s/\A.{50}\K.*/.../r;
    my $fields = seen_upstream('/t', claim(value => $value));
    ok $fields->{claim} eq $expected, "as a header: $shown" or diag(substr $fields->{claim}, 0, 200);
    is join(', ', map { $fields->{$_} // '-' } qw(x-mesh-service after)), 'orders-api, end', '... and no other of it';
}

for (['missing'], ['null', $null], ['empty', '']) {
    my ($name, @value) = @$_;
    my $fields = seen_upstream('/t', claim(@value ? (value => $value[0]) : ()));
    ok !exists $fields->{claim}, "$name: the header is not sent";
    is $fields->{mapped}, 'none', '... and the variable is empty';
}

my $fields = seen_upstream('/t', claim(
    value => 'pay', email => 'a@b.example', a => { b => ['first', 'second'] }, 'https://a.example/r~s' => 'url'));
is_deeply { map { $_ => $fields->{$_} } qw(email deep escaped mapped) },
    { email => 'a@b.example', deep => 'first', escaped => 'url', mapped => 'mapped first' },
    'pointers lead into the claims, and a map may use them';
ok !exists seen_upstream('/t', claim(Value => 'pay'))->{claim}, 'a claim of another case is another claim';

my $sent = seen_upstream('/t', claim(value => 'real'), 'Claim: forged', 'Email: forged');
is $sent->{claim}, 'real', 'a header of the client does not take the place of a claim';
ok !exists $sent->{email}, '... nor of one that is missing';

subtest 'only a verified token has claims' => sub {
    is $server->get('/t', bearer(claims => { value => 'x' }, expires => '-1h'))->{status}, 401, 'expired: refused';
    my $unverified = bearer(claims => { value => 'x' }, key => 'other', issuer => 'https://idp.example');
    for my $target ('/dry', '/off') {
        for my $header ($unverified, bearer(claims => { value => 'x' }, expires => '-1h')) {
            my $fields = seen_upstream($target, $header);
            is_deeply [@$fields{qw(claim subject x-mesh-service)}], [undef, undef, undef], "$target shows nothing of it";
        }
    }
    is seen_upstream('/dry', bearer(claims => { value => 'x' }))->{claim}, 'x', 'a dry run shows those of a good one';
    ok !exists seen_upstream('/off', bearer(claims => { value => 'x' }))->{claim}, 'off shows none';
};

my $log = slurp($server->root . '/logs/claims.log');
is scalar(grep { !m{\A/\w+ \[.*\] \[.*\]\z} } split /\n/, $log), 0, 'no claim breaks a line of the access log';
like $log, qr{^/t \[a%0D%0AX-Mesh-Service: admin\] \[-?\]$}m, '... though it is there, and nothing escapes it';

$server->stop;
$upstream->stop;

done_testing;
