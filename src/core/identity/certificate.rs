//! The certificate that is among what proves an identity.

use std::rc::Rc;

use crate::peer::spiffe::SpiffeId;
use crate::peer::x509::{
    CertificateError, CertificateName, ChainVerdict, Chosen, Facts, NameRules, PeerCertificate,
};
use crate::refusal::Reason;
use crate::request::Peer;
use crate::text::rendered::Rendered;
use crate::text::time::UnixTime;

/// A certificate whose chain is verified, and the name that it has under the settings.
#[derive(Debug)]
pub(crate) struct Proven {
    certificate: Rc<PeerCertificate>,
    chosen: Chosen,
    /// The number of the settings.
    settings: usize,
}

impl Proven {
    /// Verifies a peer's certificate, as far as the chain's verdict does not. `settings` is the
    /// number of the settings that `names` is from.
    pub(crate) fn verify(
        peer: &Peer,
        settings: usize,
        names: &NameRules,
        now: UnixTime,
    ) -> Result<Self, Reason> {
        match peer.verdict {
            ChainVerdict::Failed => return Err(Reason::CertificateUnverified),
            ChainVerdict::Foreign => return Err(Reason::CertificateMisdirected),
            ChainVerdict::Verified => {}
        }
        let certificate = peer.certificate.as_ref().map_err(|error| Reason::from(*error))?;
        certificate.valid_at(now)?;
        let chosen = certificate.choose(settings, names)?;
        Ok(Self { certificate: Rc::clone(certificate), chosen, settings })
    }

    /// Its name, which is known to be there.
    pub(crate) fn name(&self) -> Option<CertificateName<'_>> {
        self.certificate.chosen(self.chosen)
    }

    /// The name as text.
    pub(crate) fn text(&self) -> &str {
        match self.name() {
            Some(CertificateName::Spiffe(id)) => id.as_str(),
            Some(CertificateName::CommonName(name) | CertificateName::Dns(name)) => name,
            None => "",
        }
    }

    /// The SPIFFE ID, if that is its name.
    pub(crate) fn spiffe_id(&self) -> Option<&SpiffeId> {
        match self.name() {
            Some(CertificateName::Spiffe(id)) => Some(id),
            Some(CertificateName::CommonName(_) | CertificateName::Dns(_)) | None => None,
        }
    }

    /// The kind of the name, as `mesh_certificate_name` calls it.
    pub(crate) const fn kind(&self) -> &'static str {
        match self.chosen {
            Chosen::CommonName => "cn",
            Chosen::Dns(_) => "dns",
            Chosen::Spiffe => "spiffe",
        }
    }

    /// Which certificate it is: its SHA-256, and the number of the settings that chose its name.
    pub(crate) fn key(&self) -> ([u8; 32], usize) {
        (*self.certificate.thumbprint(), self.settings)
    }

    /// What else the certificate says.
    pub(crate) fn facts(&self) -> &Facts {
        self.certificate.facts()
    }

    /// The exported form of an identity that is this certificate alone, if it is remembered.
    pub(crate) fn rendered(&self, make: impl FnOnce() -> Rendered) -> Option<&Rendered> {
        self.certificate.rendered(self.settings, make)
    }
}

/// More about a certificate that was refused for `reason`: the rule that it breaks, and what the
/// location asks for. `None` if the reason says it all, or is about something else.
pub(crate) fn explain(
    peer: Option<&Peer>,
    reason: Reason,
    names: &NameRules,
    now: UnixTime,
) -> Option<String> {
    let certificate = match &peer?.certificate {
        Ok(certificate) => certificate,
        Err(error) => return (Reason::from(*error) == reason).then(|| error.to_string()),
    };
    if let Err(error) = certificate.valid_at(now) {
        return (Reason::from(error) == reason).then(|| error.to_string());
    }
    let error = certificate.name(names).err()?;
    (Reason::from(error) == reason).then(|| format!("{error} (mesh_certificate_name {names})"))
}

impl From<CertificateError> for Reason {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::NotYetValid => Self::CertificateExpired,
            CertificateError::Malformed | CertificateError::TooLarge => Self::CertificateMalformed,
            // It can be read, but it has no identity.
            _ => Self::CertificateNameless,
        }
    }
}
