//! Who peers are, for the relay links: the same keys, pins and descriptors as for the federation services.

use async_trait::async_trait;
use conclave_core::identity::{address::Domain, descriptor::Descriptor};
use conclave_proto::types::v1::SignedDescriptor;
use rustls_pki_types::CertificateDer;
use tracing::debug;

use super::{dial, peers::Peers, tls};
use crate::media::relay::{ALPN, Dial, PeerIdentity};

#[async_trait]
impl PeerIdentity for Peers {
    async fn dial(&self, domain: &Domain) -> Option<Dial> {
        if !self.book().allows(domain) {
            return None;
        }
        let descriptor = self
            .described(domain)
            .await
            .inspect_err(|error| debug!(peer = %domain, %error, "no relay"))
            .ok()?;
        let tls = self.identity().client_config(descriptor.federation_pins.clone(), ALPN).ok()?;
        for endpoint in &descriptor.relay_endpoints {
            match dial::resolve(endpoint.host(), endpoint.port(), self.reach()).await {
                Ok(addresses) => {
                    if let Some(address) = addresses.into_iter().next() {
                        return Some(Dial { address, tls });
                    }
                }
                Err(error) => debug!(peer = %domain, %error, "a relay endpoint cannot be dialled"),
            }
        }
        None
    }

    fn server_tls(&self) -> Option<rustls::ServerConfig> {
        self.identity().server_config(ALPN).ok()
    }

    async fn identify(
        &self,
        certificate: &CertificateDer<'static>,
        descriptor: &SignedDescriptor,
    ) -> Option<Domain> {
        let key = tls::fingerprint(certificate).ok()?;
        if let Ok(domain) = self.domain_of(&key) {
            Some(domain)
        } else {
            let claimed = Descriptor::verify(descriptor).ok()?.domain;
            self.introduced(&key, &claimed).await.ok()
        }
    }

    fn descriptor(&self) -> SignedDescriptor {
        self.own_descriptor().clone()
    }
}
