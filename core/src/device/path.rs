//! The calls that a device makes, by their gRPC paths.

pub(super) const SIGN_IN: &str = "/conclave.client.v1.AccountService/SignIn";
pub(super) const SIGN_IN_GUEST: &str = "/conclave.client.v1.AccountService/SignInGuest";
pub(super) const RENEW_CERTIFICATE: &str = "/conclave.client.v1.AccountService/RenewCertificate";
pub(super) const PUBLISH_SEALING_KEY: &str = "/conclave.client.v1.AccountService/PublishSealingKey";
pub(super) const LIST_DEVICES: &str = "/conclave.client.v1.AccountService/ListDevices";
pub(super) const SIGN_OUT: &str = "/conclave.client.v1.AccountService/SignOut";
pub(super) const LOOK_UP_SERVER: &str = "/conclave.client.v1.DirectoryService/LookUpServer";
pub(super) const LOOK_UP_USER: &str = "/conclave.client.v1.DirectoryService/LookUpUser";
pub(super) const SEND_INVITATIONS: &str = "/conclave.client.v1.InvitationService/SendInvitations";
pub(super) const RECEIVE: &str = "/conclave.client.v1.InvitationService/Receive";
pub(super) const ACKNOWLEDGE: &str = "/conclave.client.v1.InvitationService/Acknowledge";
pub(super) const CREATE_MEETING: &str = "/conclave.client.v1.MeetingService/CreateMeeting";
pub(super) const LIST_MEETINGS: &str = "/conclave.client.v1.MeetingService/ListMeetings";
pub(super) const LOOK_UP_MEETING: &str = "/conclave.client.v1.MeetingService/LookUpMeeting";
pub(super) const SUBMIT: &str = "/conclave.client.v1.MeetingService/Submit";
pub(super) const WATCH: &str = "/conclave.client.v1.MeetingService/Watch";
pub(super) const FETCH_TREE: &str = "/conclave.client.v1.MeetingService/FetchTree";
pub(super) const CHANGE_POLICY: &str = "/conclave.client.v1.MeetingService/ChangePolicy";
