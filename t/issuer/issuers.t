# The files in nginx-conf/issuers/ start as they are, and believe tokens of the shape that their provider
# documents, and none that only resemble them.

use v5.36;

use lib 't/lib';

use JSON::PP ();
use MIME::Base64 qw(decode_base64url encode_base64url);
use Test::More;

use Test::Mesh::Credentials qw(bearer_of meshctl project_dir);
use Test::Mesh::Example;
use Test::Mesh::File;
use Test::Mesh::Forge qw(es256 json);

my $prefix = Test::Mesh::Example::new_prefix();
my $now = time;
my ($true, $false) = (JSON::PP::true(), JSON::PP::false());

my @examples = map { s{.*/}{}r } glob project_dir() . '/nginx-conf/issuers/*.conf';
for my $conf (@examples) {
    my ($status, $output) = Test::Mesh::Example::tested($prefix, "issuers/$conf");
    is($status, 0, "$conf passes nginx -t") or diag($output);
    unlike($output, qr/\[(?:warn|error|crit|alert|emerg)\]/, "$conf passes it without a warning");
}

# === Keys, tokens, requests ===

# A private key of its own; its public half as the member of a set, with changes.
sub new_key ($name, $alg, %changes) {
    my $file = "$prefix/keys/$name.jwk";
    meshctl('key', 'generate', '--alg', $alg, '--kid', $changes{kid} // $name, '--out', $file, '--jwks', "$file.set");
    my $jwk = JSON::PP::decode_json(slurp("$file.set"))->{keys}[0];
    return { file => $file, alg => $alg, jwk => vary($jwk, %changes) };
}

# A copy in which some members are others, or absent where they are undef.
sub vary ($base, %changes) {
    my %copy = (%$base, %changes);
    delete @copy{ grep { !defined $copy{$_} } keys %copy };
    return \%copy;
}

# Starts an example whose issuers publish these keys, in files instead of at the provider.
sub start_with_keys ($conf, %published) {
    my %file;
    for my $issuer (keys %published) {
        $file{$issuer} = "$prefix/jwks/$issuer.json";
        spew($file{$issuer}, json({ keys => $published{$issuer} }));
    }
    return Test::Mesh::Example->start(
        prefix => $prefix, conf => "issuers/$conf", upstream => '127.0.0.1:8081', tls => 0,
        several_upstreams => 1, edit => sub ($text) {
            for my $issuer (sort keys %file) {
                $$text =~ s/^    mesh_issuer \Q$issuer\E \{\n\K(.*?)^    \}/
                    "        jwks $file{$issuer};\n" . $1 =~ s{^ +(?:alb_keys|jwks|discovery) [^;]+;\n}{}mgr . '    }'/mse
                    or die "$conf has no mesh_issuer $issuer\n";
            }
            $$text =~ s/^http \{\n\K/    add_header Reason \$mesh_reason always;\n/m or die "no http\n";
        });
}

# A token with these claims, as the provider writes them; `header` has more than alg, kid and typ.
sub mint ($example, $key, $claims, %options) {
    my $token = meshctl('token', 'mint', '--key', $key->{file}, '--kid', $key->{jwk}{kid} // '',
        '--typ', $options{typ} // '', '--header', json($options{header} // {}), '--claims', json($claims));
    chomp $token;
    push $example->{tokens}->@*, $token;
    return $token;
}

sub passes ($example, $service, $name, $target, @headers) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $example->is_served($service, $name, GET => $target, headers => \@headers);
}

sub fails ($example, $verdict, $name, $target, @headers) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $example->is_refused($verdict, $name, GET => $target, headers => \@headers);
}

# Tokens with changed claims: each must be refused so.
sub are_refused ($example, $key, $claims, $target, $options, @table) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for (@table) {
        my ($name, $expected, %changes) = @$_;
        fails($example, $expected, $name, $target, bearer_of(mint($example, $key, vary($claims, %changes), %$options)));
    }
    return;
}

my $rsa = new_key('provider', 'RS256');
my $stranger = new_key('stranger', 'RS256', kid => 'provider');

# === The examples ===

my %tested;

sub example ($conf, $test) {
    $tested{$conf} = 1;
    subtest $conf => $test;
    return;
}

example 'okta.conf' => sub {
    my $example = start_with_keys('okta.conf', okta => [$rsa->{jwk}]);
    my $issuer = 'https://example.okta.com/oauth2/default';
    my %service = (
        ver => 1, jti => 'AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE', iss => $issuer, aud => 'api://kafka',
        sub => '0oa1etl', cid => '0oa1etl', scp => ['kafka.produce'], iat => $now, exp => $now + 3600,
    );
    passes($example, '0oa1etl', 'a client', '/', bearer_of(mint($example, $rsa, \%service)));
    my $user = vary(\%service, sub => 'ada@example.com', uid => '00u1ada', auth_time => $now, groups => ['Everyone', 'data-eng'],
        scp => ['openid', 'kafka.produce']);
    my $head = passes($example, '0oa1etl', 'a user of a client', '/', bearer_of(mint($example, $rsa, $user)));
    like($head, qr/^X-Mesh-Principal: ada\@example\.com\r$/m, 'who is the principal');
    like($head, qr/^X-Mesh-Groups: \["Everyone","data-eng"\]\r$/m, 'with its groups');
    are_refused($example, $rsa, \%service, '/', {},
        ['a token of the org server', '401 issuer_refused', iss => 'https://example.okta.com', aud => 'https://example.okta.com'],
        ['of another custom server', '401 issuer_refused', iss => 'https://example.okta.com/oauth2/aus1'],
        ['for another API', '401 audience_refused', aud => 'api://default'],
        ['an ID token', '401 audience_refused', aud => '0oa1etl', cid => undef, scp => undef],
        ['without a client', '401 service_missing', cid => undef],
        ['without the scope', '403 claim_refused', scp => ['kafka.consume']],
    );
    fails($example, '401 signature_invalid', 'by another key', '/', bearer_of(mint($example, $stranger, \%service)));
    $example->stop;
};

example 'cognito.conf' => sub {
    my $example = start_with_keys('cognito.conf', cognito => [$rsa->{jwk}]);
    my $pool = 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_ExamplePl';
    my $client = '1example23456789';
    # Of the client credentials grant, then of a user.
    my %service = (
        sub => $client, token_use => 'access', scope => 'kafka/produce', auth_time => $now, iss => $pool, exp => $now + 3600,
        iat => $now, version => 2, jti => 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee', client_id => $client,
    );
    my $user = vary(\%service, sub => 'c3a4d8e2-0000-4444-8888-0123456789ab', 'cognito:groups' => ['data-eng'], username => 'ada',
        scope => 'openid kafka/produce', origin_jti => 'bbbbbbbb-cccc-dddd-eeee-ffffffffffff', event_id => 'x');
    passes($example, $client, 'a client', '/', bearer_of(mint($example, $rsa, \%service)));
    my $head = passes($example, $client, 'a user of a client', '/', bearer_of(mint($example, $rsa, $user)));
    like($head, qr/^X-Mesh-Principal: c3a4d8e2-/m, 'who is the principal');
    like($head, qr/^X-Mesh-Groups: \["data-eng"\]\r$/m, 'with its groups');
    are_refused($example, $rsa, \%service, '/', {},
        ['of another client', '401 audience_refused', client_id => '9other87654321'],
        ['of no client', '401 audience_refused', client_id => undef],
        ['of a client that is no text', '401 claim_malformed', client_id => 1],
        ['with an aud, which counts alone', '401 audience_refused', aud => 'other'],
        ['an ID token', '401 service_missing', token_use => 'id', client_id => undef, aud => $client],
        ['an ID token with the name of a client', '403 claim_refused', token_use => 'id', aud => $client],
        ['without a use', '403 claim_refused', token_use => undef],
        ['without the scope', '403 claim_refused', scope => 'kafka/consume'],
        ['of another pool', '401 issuer_refused', iss => "${pool}X"],
    );
    fails($example, '401 signature_invalid', 'by another key', '/', bearer_of(mint($example, $stranger, \%service)));
    $example->stop;
};

# Claims of app-only access tokens, as the reference of Entra ID's access tokens lists them.
my ($tenant, $tenant2, $foreign) = ('8c1b5a2e-0f3d-4b6a-9c7e-1d2f3a4b5c6d', '0b5f7a34-52b5-4d39-a1b0-7d8e9f0a1b2c',
    '72f988bf-86f1-41af-91ab-2d7cd011db47');
my $v2 = sub ($tid) { "https://login.microsoftonline.com/$tid/v2.0" };
my $v1 = sub ($tid) { "https://sts.windows.net/$tid/" };
my %entra = (
    aud => '6e74172b-be56-4843-9ff4-e66a39bb12e3', iss => $v2->($tenant), iat => $now, nbf => $now, exp => $now + 3900,
    aio => 'k2RgYLj', azp => '9f0f1a2b-0000-4444-8888-0123456789ab', azpacr => '1', idtyp => 'app',
    oid => '1f2e3d4c-0000-4444-8888-0123456789ab', rh => '0.AbcA', roles => ['Kafka.Produce'],
    sub => '1f2e3d4c-0000-4444-8888-0123456789ab', tid => $tenant, uti => 'x1', ver => '2.0',
);
# Where to ask for groups that are too many.
my %overage = (_claim_names => { groups => 'src1' },
    _claim_sources => { src1 => { endpoint => "https://graph.windows.net/$tenant/users/1/getMemberObjects" } });

example 'entra.conf' => sub {
    my $of_other = new_key('of-other', 'RS256', alg => undef, issuer => $v2->($foreign));
    my $own = vary($rsa->{jwk}, alg => undef, issuer => $v2->('{tenantid}'));
    my $example = start_with_keys('entra.conf', entra => [$own, $of_other->{jwk}]);
    my $typ = { typ => 'JWT' };
    passes($example, $entra{azp}, 'an application with the role', '/', bearer_of(mint($example, $rsa, \%entra, %$typ)));
    my $group = '3f2504e0-4f89-11d3-9a0c-0305e82c3301';
    my $user = vary(\%entra, idtyp => 'user', roles => undef, scp => 'openid Kafka.Read', sub => 'pairwise',
        groups => [$group], wids => ['b79fbf4d-3ef9-4689-8143-76b194e85509']);
    my $head = passes($example, $entra{azp}, 'a user of the group', '/admin/', bearer_of(mint($example, $rsa, $user, %$typ)));
    like($head, qr/^X-Mesh-Groups: \["\Q$group\E"\]\r$/m, 'whose groups go upstream');
    passes($example, $entra{azp}, 'a user with the scope', '/users/', bearer_of(mint($example, $rsa, $user, %$typ)));
    my $many = vary($user, groups => undef, %overage);
    $head = passes($example, $entra{azp}, 'a user with too many groups', '/users/', bearer_of(mint($example, $rsa, $many, %$typ)));
    unlike($head, qr/X-Mesh-Groups/i, 'whose groups are unknown');

    are_refused($example, $rsa, \%entra, '/', $typ,
        ['of another tenant', '401 issuer_refused', iss => $v2->($tenant2), tid => $tenant2],
        ['of another tenant by its tid', '401 issuer_refused', tid => $foreign],
        ['of version 1', '401 issuer_refused', iss => $v1->($tenant), ver => '1.0'],
        ['for Microsoft Graph', '401 audience_refused', aud => '00000003-0000-0000-c000-000000000000'],
        ['without the role', '403 claim_refused', roles => ['Kafka.Consume']],
        ['of a user with the role', '403 claim_refused', idtyp => 'user'],
    );
    are_refused($example, $rsa, $user, '/admin/', $typ,
        ['too many groups are not the one', '403 claim_refused', groups => undef, %overage],
        ['nor are some beside them', '403 claim_refused', %overage],
        ['nor others', '403 claim_refused', groups => ['00000000-0000-0000-0000-000000000000']],
    );
    are_refused($example, $rsa, $user, '/users/', $typ, ['another scope', '403 claim_refused', scp => 'Kafka.Read.All openid']);
    fails($example, '401 issuer_refused', 'signed by a key of another tenant', '/',
        bearer_of(mint($example, $of_other, \%entra, %$typ)));
    $example->stop;
};

example 'entra-multitenant.conf' => sub {
    my $of_second = new_key('of-second', 'RS256', alg => undef, issuer => $v2->($tenant2));
    my $common = vary($rsa->{jwk}, alg => undef, issuer => $v2->('{tenantid}'));
    my $example = start_with_keys('entra-multitenant.conf', entra => [$common, $of_second->{jwk}], 'entra-v1' => [$common]);
    my $typ = { typ => 'JWT' };
    for my $tid ($tenant, $tenant2) {
        my $of = vary(\%entra, iss => $v2->($tid), tid => $tid);
        my $head = passes($example, $entra{azp}, "tenant $tid", '/', bearer_of(mint($example, $rsa, $of, %$typ)));
        like($head, qr/^X-Tenant: $tid\r$/m, '... which goes upstream');
    }
    my $second = vary(\%entra, iss => $v2->($tenant2), tid => $tenant2);
    passes($example, $entra{azp}, 'a key of the tenant itself', '/', bearer_of(mint($example, $of_second, $second, %$typ)));
    my $first = vary(\%entra, azp => undef, azpacr => undef, ver => '1.0', aud => 'api://kafka', iss => $v1->($tenant),
        appid => $entra{azp}, appidacr => '1', idp => $v1->($tenant));
    my $head = passes($example, $entra{azp}, 'version 1', '/', bearer_of(mint($example, $rsa, $first, %$typ)));
    like($head, qr/^X-Mesh-Issuer: entra-v1\r$/m, '... is an issuer of its own');

    are_refused($example, $rsa, \%entra, '/', $typ,
        ['a tenant that is not listed', '401 issuer_refused', iss => $v2->($foreign), tid => $foreign],
        ['one tenant in the name of another', '401 issuer_refused', tid => $tenant2],
        ['the template itself', '401 issuer_refused', iss => $v2->('{tenantid}')],
        ['no tenant', '401 issuer_refused', tid => undef],
        ['the audience of version 1', '401 audience_refused', aud => 'api://kafka'],
        ['without the role', '403 claim_refused', roles => undef],
    );
    are_refused($example, $rsa, $first, '/', $typ,
        ['version 1 of a tenant that is not listed', '401 issuer_refused', iss => $v1->($foreign), tid => $foreign],
        ['version 1 without an application', '401 service_missing', appid => undef],
    );
    fails($example, '401 issuer_refused', 'a tenant signed for by the key of another', '/',
        bearer_of(mint($example, $of_second, \%entra, %$typ)));
    $example->stop;
};

example 'aws-federation.conf' => sub {
    my $key = new_key('EC384_0', 'ES384');
    my $example = start_with_keys('aws-federation.conf', aws => [$key->{jwk}, $rsa->{jwk}]);
    my $arn = 'arn:aws:iam::123456789012:role/data/etl';
    my %claims = (
        aud => 'https://kafka.example', sub => $arn, iss => 'https://a1558243-1537-4e36-a7e4-a659f6a02c8e.tokens.sts.global.api.aws',
        iat => $now, exp => $now + 900, jti => '5488e298-0a47-4c5b-80d7-6b4ab8a4cede',
        'https://sts.amazonaws.com/' => { aws_account => '123456789012', org_id => 'o-exampleorgid', principal_id => $arn,
            source_region => 'eu-west-1', ou_path => ['o-exampleorgid/r-ab12/ou-ab12-11111111/'] },
    );
    my $typ = { typ => 'JWT' };
    for my $signer ($key, $rsa) {
        my $head = passes($example, '123456789012/etl', "a role, by $signer->{alg}", '/', bearer_of(mint($example, $signer, \%claims, %$typ)));
        like($head, qr/^X-Aws-Account: 123456789012\r$/m, 'its account');
        like($head, qr/^X-Aws-Region: eu-west-1\r$/m, 'and its region go upstream');
        like($head, qr/^X-Mesh-Principal: \Q$arn\E\r$/m, 'the ARN is the principal');
    }
    are_refused($example, $key, \%claims, '/', $typ,
        ['of another account', '401 issuer_refused', iss => 'https://00000000-1537-4e36-a7e4-a659f6a02c8e.tokens.sts.global.api.aws'],
        ['for somebody else', '401 audience_refused', aud => 'https://other.example'],
        ['of a user', '401 service_missing', sub => 'arn:aws:iam::123456789012:user/etl'],
        ['of the root', '401 service_missing', sub => 'arn:aws:iam::123456789012:root'],
        ['of what only looks like a service', '401 service_missing', sub => '123456789012/etl'],
        ['of another organisation', '403 claim_refused',
            'https://sts.amazonaws.com/' => { aws_account => '123456789012', org_id => 'o-other' }],
        ['of no organisation', '403 claim_refused', 'https://sts.amazonaws.com/' => undef, org_id => 'o-exampleorgid'],
        ['for longer than an hour', '401 lifetime_exceeded', exp => $now + 7200],
    );
    $example->stop;
};

example 'kubernetes.conf' => sub {
    my $example = start_with_keys('kubernetes.conf', eks => [$rsa->{jwk}]);
    my %claims = (
        aud => ['kafka'], iss => 'https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE',
        sub => 'system:serviceaccount:shop:orders-api', iat => $now, nbf => $now, exp => $now + 3607,
        'kubernetes.io' => { namespace => 'shop', node => { name => 'ip-10-0-1-2', uid => 'n' },
            pod => { name => 'orders-api-7d4b9c-x2x', uid => 'p' }, serviceaccount => { name => 'orders-api', uid => 's' } },
    );
    my $head = passes($example, 'system:serviceaccount:shop:orders-api', 'a pod of the namespace', '/',
        bearer_of(mint($example, $rsa, \%claims)));
    like($head, qr/^X-Pod: orders-api-7d4b9c-x2x\r$/m, 'which pod, the upstream hears');
    are_refused($example, $rsa, \%claims, '/', {},
        ['the token of IRSA', '401 audience_refused', aud => ['sts.amazonaws.com']],
        ['the token for the API server', '401 audience_refused', aud => ['https://kubernetes.default.svc']],
        ['of another cluster', '401 issuer_refused', iss => 'https://oidc.eks.eu-west-1.amazonaws.com/id/0THER'],
        ['of another namespace', '403 claim_refused', sub => 'system:serviceaccount:lab:orders-api', 'kubernetes.io' => { namespace => 'lab' }],
        ['of the time before tokens were bound', '401 issuer_refused', iss => 'kubernetes/serviceaccount', aud => undef],
    );
    $example->stop;
};

example 'alb.conf' => sub {
    my $key = new_key('alb-key', 'ES256', kid => '12345678-1234-1234-1234-123456789012');
    my $idp = new_key('alb-idp', 'ES256', kid => '12345678-1234-1234-1234-123456789012');
    my $example = start_with_keys('alb.conf', alb => [vary($key->{jwk}, use => undef, alg => undef)]);
    my $arn = 'arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/edge/50dc6c495c0c9188';
    my %header = (signer => $arn, iss => 'https://idp.example', client => '0oa1loadbalancer', exp => $now + 120);
    my %claims = (sub => 'ada', email => 'ada@example.com', iss => 'https://idp.example', exp => $now + 120);
    # As meshctl signs them: without padding.
    my $data = sub ($signer, $header, $claims) {
        my $token = mint($example, $signer, vary({ iat => $now }, %$claims), typ => 'JWT', header => $header);
        return "x-amzn-oidc-data: $token";
    };
    passes($example, 'ada', 'a user', '/', $data->($key, \%header, \%claims), 'x-amzn-oidc-accesstoken: secret', 'x-amzn-oidc-identity: forged');
    my $padded = padded($key, $example, { %header, typ => 'JWT', alg => 'ES256', kid => $key->{jwk}{kid} }, \%claims);
    like($padded, qr/=\./, 'a token that is padded, as load balancers write it');
    my $head = passes($example, 'ada', 'is taken as it is', '/', "x-amzn-oidc-data: $padded", 'x-amzn-oidc-accesstoken: secret');
    unlike($head, qr/x-amzn-oidc/i, 'and nothing of it goes upstream');

    my $other = $arn =~ s/123456789012/999999999999/r;
    fails($example, '401 signer_refused', 'of somebody else\'s load balancer', '/', $data->($key, vary(\%header, signer => $other), \%claims));
    fails($example, '401 audience_refused', 'of another client', '/', $data->($key, vary(\%header, client => 'other'), \%claims));
    fails($example, '401 audience_refused', 'an aud is no client', '/',
        $data->($key, vary(\%header, client => undef), vary(\%claims, aud => '0oa1loadbalancer')));
    fails($example, '401 issuer_refused', 'without a signer', '/', $data->($key, vary(\%header, signer => undef), \%claims));
    fails($example, '401 issuer_refused', 'on the word of another issuer', '/',
        $data->($key, vary(\%header, iss => 'https://other.example'), vary(\%claims, iss => 'https://other.example')));
    fails($example, '401 claim_malformed', 'with two expiries', '/', $data->($key, \%header, vary(\%claims, exp => $now + 9999)));
    fails($example, '401 token_expired', 'that has expired', '/',
        $data->($key, vary(\%header, exp => $now - 60), vary(\%claims, exp => $now - 60)));
    fails($example, '401 signature_invalid', 'by another key', '/', $data->($idp, \%header, \%claims));
    fails($example, '401 credential_missing', 'in another field', '/',
        $data->($key, \%header, \%claims) =~ s/^x-amzn-oidc-data:/Authorization: Bearer/r);
    $example->stop;
};

example 'google.conf' => sub {
    my $example = start_with_keys('google.conf', google => [$rsa->{jwk}]);
    my %claims = (
        iss => 'https://accounts.google.com', aud => 'https://kafka.example', azp => '113774264463038321964', sub => '113774264463038321964',
        email => 'orders-api@shop-prod.iam.gserviceaccount.com', email_verified => $true, iat => $now, exp => $now + 3600,
    );
    my $typ = { typ => 'JWT' };
    passes($example, $claims{email}, 'a service account', '/', bearer_of(mint($example, $rsa, \%claims, %$typ)));
    are_refused($example, $rsa, \%claims, '/', $typ,
        ['of a stranger\'s project', '403 claim_refused', email => 'orders-api@evil.iam.gserviceaccount.com'],
        ['with an address that nobody verified', '403 claim_refused', email_verified => $false],
        ['... or that says so in a word', '403 claim_refused', email_verified => 'false'],
        ['without an address (format=standard)', '401 service_missing', email => undef, email_verified => undef],
        ['for another audience', '401 audience_refused', aud => 'https://other.example'],
        ['by the old name of the issuer', '401 issuer_refused', iss => 'accounts.google.com'],
    );
    $example->stop;
};

example 'keycloak.conf' => sub {
    my $example = start_with_keys('keycloak.conf', keycloak => [$rsa->{jwk}]);
    my %claims = (
        exp => $now + 300, iat => $now, jti => 'trrtcc:1', iss => 'https://keycloak.example/realms/prod', aud => ['kafka', 'account'],
        sub => '6f1d2c3b-0000-4444-8888-0123456789ab', typ => 'Bearer', azp => 'orders-api', acr => '1',
        realm_access => { roles => ['offline_access', 'data-eng'] }, scope => 'profile kafka.read email',
        resource_access => { kafka => { roles => ['producer'] }, account => { roles => ['view-profile'] } },
        clientHost => '10.0.0.7', preferred_username => 'service-account-orders-api',
    );
    my $typ = { typ => 'JWT' };
    my $head = passes($example, 'orders-api', 'a client with the role', '/', bearer_of(mint($example, $rsa, \%claims, %$typ)));
    like($head, qr/^X-Mesh-Groups: \["offline_access","data-eng"\]\r$/m, 'the roles of the realm go upstream');
    passes($example, 'orders-api', 'a client with the scope', '/read/', bearer_of(mint($example, $rsa, \%claims, %$typ)));
    are_refused($example, $rsa, \%claims, '/', $typ,
        ['of another realm', '401 issuer_refused', iss => 'https://keycloak.example/realms/dev'],
        ['without an audience mapper', '401 audience_refused', aud => 'account'],
        ['a role of another client', '403 claim_refused', resource_access => { account => { roles => ['producer'] } }],
        ['a role of the realm', '403 claim_refused', resource_access => undef, realm_access => { roles => ['producer'] }],
    );
    are_refused($example, $rsa, \%claims, '/read/', $typ,
        ['an ID token', '403 claim_refused', typ => 'ID'],
        ['a refresh token', '403 claim_refused', typ => 'Refresh'],
        ['another scope', '403 claim_refused', scope => 'profile kafka.readwrite'],
    );
    are_refused($example, $rsa, \%claims, '/', $typ, ['an ID token with the role', '403 claim_refused', typ => 'ID']);
    $example->stop;
};

example 'github-actions.conf' => sub {
    my $example = start_with_keys('github-actions.conf', github => [$rsa->{jwk}]);
    my %claims = (
        jti => 'example-id', sub => 'repo:octo-org/octo-repo:environment:prod', environment => 'prod', aud => 'kafka-gateway',
        ref => 'refs/heads/main', sha => 'example-sha', repository => 'octo-org/octo-repo', repository_owner => 'octo-org',
        actor_id => '12', repository_visibility => 'private', repository_id => '74', repository_owner_id => '9919',
        run_id => '1234567890', run_number => '10', run_attempt => '2', runner_environment => 'github-hosted', actor => 'octocat',
        workflow => 'example-workflow', head_ref => '', base_ref => '', event_name => 'workflow_dispatch', ref_type => 'branch',
        job_workflow_ref => 'octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main',
        iss => 'https://token.actions.githubusercontent.com', nbf => $now - 600, exp => $now + 900, iat => $now,
    );
    my $typ = { typ => 'JWT' };
    my $head = passes($example, 'octo-org/octo-repo', 'a job on the branch', '/', bearer_of(mint($example, $rsa, \%claims, %$typ)));
    like($head, qr/^X-Run: 1234567890\r$/m, 'its run goes upstream');
    are_refused($example, $rsa, \%claims, '/', $typ,
        ['of another owner', '403 claim_refused', repository => 'evil/octo-repo', repository_owner => 'evil', repository_owner_id => '66'],
        ['of who has taken the owner\'s name', '403 claim_refused', repository_owner_id => '66'],
        ['of another repository', '403 claim_refused', repository => 'octo-org/sandbox'],
        ['of a pull request', '403 claim_refused', ref => 'refs/pull/7/merge', event_name => 'pull_request'],
        ['for the usual audience', '401 audience_refused', aud => 'https://github.com/octo-org'],
        ['of an enterprise server', '401 issuer_refused', iss => 'https://github.example/_services/token'],
    );
    $example->stop;
};

example 'databricks.conf' => sub {
    my $example = start_with_keys('databricks.conf', databricks => [$rsa->{jwk}]);
    my $id = '83988469-aba5-4d3d-bcad-f8707acc74cd';
    my %claims = (
        client_id => $id, scope => 'all-apis', iss => 'https://adb-1234567890123456.7.azuredatabricks.net/oidc', aud => '1234567890123456',
        sub => $id, iat => $now, exp => $now + 3600, jti => 'a3e2b1c0-0000-4444-8888-0123456789ab',
    );
    my $typ = { typ => 'at+jwt' };
    passes($example, $id, 'a service principal', '/', bearer_of(mint($example, $rsa, \%claims, %$typ)));
    are_refused($example, $rsa, \%claims, '/', $typ,
        ['of another workspace', '401 issuer_refused', iss => 'https://adb-9999999999999999.9.azuredatabricks.net/oidc'],
        ['of the account', '401 issuer_refused', iss => 'https://accounts.azuredatabricks.net/oidc/accounts/0aa1'],
        ['for another workspace', '401 audience_refused', aud => '9999999999999999'],
        ['of another principal', '403 claim_refused', sub => '00000000-aba5-4d3d-bcad-f8707acc74cd'],
        ['of a user', '403 claim_refused', sub => 'ada@example.com'],
    );
    $example->stop;
};

example 'spiffe-jwt.conf' => sub {
    my ($prod, $partner) = map { new_key("spiffe-$_", 'ES256', use => 'jwt-svid', alg => undef) } qw(prod partner);
    my $certificates = { kty => 'EC', use => 'x509-svid', crv => 'P-256', x => 'AA', y => 'AA', x5c => ['MIIB'] };
    my $example = start_with_keys('spiffe-jwt.conf', prod => [$certificates, $prod->{jwk}], partner => [$partner->{jwk}]);
    my $id = 'spiffe://prod.example/ns/shop/sa/orders-api';
    my %claims = (sub => $id, aud => ['kafka'], iat => $now, exp => $now + 300);
    for my $typ ('JWT', 'JOSE', '') {
        my $head = passes($example, $id, "a workload, typ \"$typ\"", '/internal/', bearer_of(mint($example, $prod, \%claims, typ => $typ)));
        like($head, qr/^X-Mesh-Spiffe-Id: \Q$id\E\r$/m, '... with its SPIFFE ID');
    }
    my $theirs = vary(\%claims, sub => 'spiffe://partner.example/billing');
    my $head = passes($example, 'spiffe://partner.example/billing', 'one of the partner', '/', bearer_of(mint($example, $partner, $theirs)));
    like($head, qr/^X-Mesh-Issuer: partner\r$/m, '... is of another issuer');
    fails($example, '401 issuer_refused', 'who may not come everywhere', '/internal/', bearer_of(mint($example, $partner, $theirs)));
    fails($example, '401 unknown_key', 'the partner in our name', '/', bearer_of(mint($example, $partner, \%claims)));
    fails($example, '401 unknown_key', 'and we in theirs', '/', bearer_of(mint($example, $prod, $theirs)));
    are_refused($example, $prod, \%claims, '/', { typ => 'JWT' },
        ['of a third trust domain', '401 issuer_refused', sub => 'spiffe://evil.example/ns/shop/sa/orders-api'],
        ['of a domain below', '401 issuer_refused', sub => 'spiffe://x.prod.example/w'],
        ['of the trust domain itself', '401 spiffe_id_refused', sub => 'spiffe://prod.example'],
        ['by a name that is no SPIFFE ID', '401 issuer_refused', sub => 'orders-api'],
        ['by an issuer that nobody named', '401 issuer_refused', iss => 'https://oidc.prod.example'],
        ['for somebody else', '401 audience_refused', aud => ['databricks']],
        ['for nobody', '401 audience_refused', aud => undef],
        ['for longer than an hour', '401 lifetime_exceeded', exp => $now + 7200],
    );
    are_refused($example, $prod, \%claims, '/', { typ => 'at+jwt' }, ['of another type', '401 type_refused']);
    $example->stop;
};

is_deeply([sort keys %tested], \@examples, 'every example is tested');

done_testing();

# A token with padding, signed by openssl as it is: meshctl writes none.
sub padded ($key, $example, $header, $claims) {
    my $part = sub ($bytes) { my $text = encode_base64url($bytes); return $text . '=' x (-length($text) % 4) };
    # So long that there is something to pad.
    $header->{pad} = 'x' x (3 - length(json($header)) % 3) until length(json($header)) % 3;
    my $input = join '.', map { $part->(json($_)) } $header, $claims;
    my $token = "$input." . $part->(sign_es256($key, $input));
    push $example->{tokens}->@*, $token;
    return $token;
}

# A signature by the private key of a JWK.
sub sign_es256 ($key, $input) {
    my $jwk = JSON::PP::decode_json(slurp($key->{file}));
    my ($d, $x, $y) = map { decode_base64url($jwk->{$_}) } qw(d x y);
    # RFC 5915: version 1, the scalar, the curve prime256v1, the point.
    my $der = pack 'H*a*H*a*a*', '30770201010420', $d, 'a00a06082a8648ce3d030107a14403420004', $x, $y;
    return es256($input, spew("$prefix/keys/alb.der", $der), 'DER');
}
